// `npm test`: the worker's own tests run in Python beside Vitest's, which begin with those that mind no company.
// What follows `npm test --` goes to Vitest.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

const python = start(["scripts/test-python.mjs"], ["ignore", "pipe", "pipe"]);
const said = [];
for (const stream of [python.stdout, python.stderr]) stream.on("data", (chunk) => said.push(chunk));
const pythonEnd = once(python, "close");

const vitest = start(["node_modules/vitest/vitest.mjs", "run", ...process.argv.slice(2)], "inherit");
const [vitestStatus] = await once(vitest, "close");

const [pythonStatus] = await pythonEnd;
process.stdout.write(`\n python/isotorch_worker\n\n${Buffer.concat(said).toString()}`);
process.exitCode = vitestStatus === 0 && pythonStatus === 0 ? 0 : 1;

function start(args, stdio) {
  return spawn(process.execPath, args, { stdio });
}
