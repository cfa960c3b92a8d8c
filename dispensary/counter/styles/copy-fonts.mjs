// Copies the fonts of fonts.json from node_modules to the static files: woff2 for pages, TrueType for printed documents.
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

for (const [target, source] of Object.entries(JSON.parse(readFileSync("fonts.json", "utf8")))) {
  const copy = join("../../static/dispensary/built", target);
  mkdirSync(dirname(copy), { recursive: true });
  copyFileSync(join("node_modules", source), copy);
}
