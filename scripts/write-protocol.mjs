// What is made from `messages.json`: TypeScript's types, the list of error codes, and the tables of docs/protocol.md.
//   npm run protocol [-- --check]   --check writes nothing and fails where something is stale
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { codesFile, docsOf, typesFile } from "./protocol/made.mjs";

const SOURCE = "python/isotorch_worker/protocol/messages.json";
const table = JSON.parse(readFileSync(SOURCE, "utf8"));
const made = new Map([
  ["src/protocol/messages.ts", typesFile(table)],
  ["src/base/codes.ts", codesFile(table)],
  ["docs/protocol.md", docsOf(table, readFileSync("docs/protocol.md", "utf8"))],
]);

const stale = [];
for (const [file, text] of made) {
  const formatted = execFileSync("node_modules/.bin/oxfmt", ["--stdin-filepath", file], {
    input: text,
    encoding: "utf8",
  });
  if (readFileSync(file, "utf8") === formatted) continue;
  stale.push(file);
  if (!process.argv.includes("--check")) writeFileSync(file, formatted);
}
if (stale.length === 0) console.log("Everything is as messages.json says.");
else if (process.argv.includes("--check")) {
  console.error(`Stale: ${stale.join(", ")}. Run \`npm run protocol\`.`);
  process.exitCode = 1;
} else console.log(`Wrote ${stale.join(", ")}.`);
