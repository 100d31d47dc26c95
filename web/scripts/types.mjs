// Makes lib/openapi.d.ts of openapi.json: what the gateway takes and answers, as TypeScript. `npm run types`.
// The first line has the document's hash, so that a test without npm knows whether the two belong together.
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const text = await readFile(new URL("../openapi.json", import.meta.url));
const hash = createHash("sha256").update(text).digest("hex");
const document = JSON.parse(text);
for (const operations of Object.values(document.paths)) {
  for (const { responses = {} } of Object.values(operations)) {
    // Every refusal is a `Problem`: said once for each status of each route, they would be two thirds of the file.
    for (const status of Object.keys(responses)) if (Number(status) >= 400) delete responses[status];
  }
}
const types = astToString(await openapiTS(document, { alphabetize: true }));
await writeFile(
  new URL("../lib/openapi.d.ts", import.meta.url),
  `// Made by \`npm run types\` of openapi.json, ${hash}\n\n${types}`,
);
