// A client of CDS Hooks: discovers the services, resolves the prefetch of one, calls it, and sends feedback on each card.
// Input: {site, fhir, authorization: {service, feedback}, service, context, user}. Output: {services, request, answer, feedback}.
import { readFileSync } from "node:fs";

globalThis.WebSocket ??= class {}; // Node 20 has none; Medplum names it as it loads, and none of this needs it
const { MedplumClient, buildCdsRequest } = await import("@medplum/core");

const input = JSON.parse(readFileSync(0, "utf8"));
const client = new MedplumClient({
  baseUrl: input.site,
  fhirUrlPath: input.fhir,
  fetch: (address, options = {}) => {
    const path = new URL(address).pathname;
    const header = path.endsWith("/feedback") ? input.authorization.feedback : input.authorization.service;
    const isCall = String(address).startsWith(input.site) && options.method === "POST";
    return fetch(address, isCall ? { ...options, headers: { ...options.headers, Authorization: header } } : options);
  },
});
const { services } = await client.getCdsServices();
const service = services.find(({ id }) => id === input.service);
const request = await buildCdsRequest(client, input.user, service, input.context);
const answer = await client.callCdsService(service.id, request);
const items = answer.cards.map(({ uuid }) => ({
  card: uuid,
  outcome: "overridden",
  overrideReason: { userComment: "Agreed with the clinic." },
  outcomeTimestamp: input.at,
}));
const feedback = await client.post(`cds-services/${service.id}/feedback`, { feedback: items });
process.stdout.write(JSON.stringify({ services, request, answer, feedback }));
