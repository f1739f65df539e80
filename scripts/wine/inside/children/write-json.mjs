// Writes a file and reads it, again and again, as others do at the same time. Prints what went wrong.
import { readFile } from "node:fs/promises";
import { internal } from "../harness.mjs";

const ROUNDS = 200;
const file = process.argv[2];
const { writeJson } = await internal("base/files/files.js");
const wrong = {};
const count = (what) => (wrong[what] = (wrong[what] ?? 0) + 1);
for (let round = 0; round < ROUNDS; round += 1) {
  await writeJson(file, { round, pad: "x".repeat(5_000) }).catch((error) => count(`write ${error.code}`));
  const text = await readFile(file, "utf8").catch((error) => void count(`read ${error.code}`));
  if (text !== undefined && !text.trimEnd().endsWith("}")) count("torn");
}
process.stdout.write(`${JSON.stringify(wrong)}\n`);
