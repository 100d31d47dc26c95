// Makes lib/openapi.d.ts of openapi.json: what the gateway takes and answers, as TypeScript. `npm run types`.
// The first line has the document's hash, so that a test without npm knows whether the two belong together.
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const document = await readFile(new URL("../openapi.json", import.meta.url));
const hash = createHash("sha256").update(document).digest("hex");
const types = astToString(await openapiTS(JSON.parse(document.toString("utf8")), { alphabetize: true }));
await writeFile(
  new URL("../lib/openapi.d.ts", import.meta.url),
  `// Made by \`npm run types\` of openapi.json, ${hash}\n/* eslint-disable */\n\n${types}`,
);
