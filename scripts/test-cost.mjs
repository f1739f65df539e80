// `npm run test:cost`: Vitest's tests, and then which files of them take how much of the CPU. Linux only.
//
//   npm run test:cost [-- what Vitest takes]
//
// Seconds of CPU, not of the clock: other work on the machine changes them little. A process that a test killed, and whose
// end nobody waited for, is not counted.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "test-cost-"));
const log = join(folder, "files.jsonl");
writeFileSync(log, "");
const args = [join(root, "node_modules/vitest/vitest.mjs"), "run", ...process.argv.slice(2)];
const env = { ...process.env, ISOTORCH_TEST_COST: log };
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit", env });

const files = readFileSync(log, "utf8")
  .trim()
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line))
  .map(({ file, own, started }) => ({ file: relative(root, file), own, started, whole: own + started }))
  .toSorted((a, b) => b.whole - a.whole);
console.log("\n  CPU s     own  started");
for (const { file, own, started, whole } of files)
  console.log([whole, own, started].map((seconds) => seconds.toFixed(1).padStart(8)).join(""), ` ${file}`);
console.log(
  `${files
    .reduce((sum, { whole }) => sum + whole, 0)
    .toFixed(1)
    .padStart(8)}  in ${files.length} files`,
);
rmSync(folder, { recursive: true });
process.exitCode = status ?? 1;
