// `npm run test:wine`: the package on Windows' own Node, Python and PyTorch, under Debian's Wine.
//
//   --gate         only what `.ci/run` wants: a start with each NumPy, a Chinese prefix, parity
//   --only WORD    the steps whose name has this word; may be given several times
//   --list         the names of the steps
//
// ISOTORCH_WINE_CACHE is where downloads and the Wine prefix stay; default $XDG_CACHE_HOME/isotorch/wine, else
// ~/.cache/isotorch/wine. About 300 MB are downloaded from npm and PyPI, and 3 GB written, the first time.
// Debian packages that are missing (Wine, MinGW, unzip) are installed by apt-get as root, and by nobody else.
// Exit codes: 0, also where it is skipped, which it says with the reason; 1 when a step failed; 2 usage.
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { prepare } from "./wine/prefix.mjs";
import { bringPrograms } from "./wine/needs.mjs";
import { install } from "./wine/project.mjs";
import { runInside } from "./wine/scenarios.mjs";
import { Lacking, run } from "./wine/run.mjs";
import { STEPS } from "./wine/steps.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const options = readOptions();
if (options.list) process.stdout.write(`${Object.keys(STEPS).join("\n")}\n`);
else process.exitCode = await main();

async function main() {
  const began = Date.now();
  const steps = chosen();
  const cache = cacheFolder();
  run(process.execPath, ["scripts/build.mjs"]);
  mkdirSync(cache, { recursive: true });
  const { tryLock } = await import("../dist/base/files/lock.js");
  const lock = await tryLock(join(cache, "lock"));
  if (lock === undefined) throw new Error(`Another test:wine is at work in ${cache}.`);
  try {
    bringPrograms();
    const windows = prepare(cache);
    install(windows);
    const results = await performAll(steps, windows);
    const failed = results.filter((isWell) => !isWell).length;
    const seconds = ((Date.now() - began) / 1000).toFixed(0);
    process.stdout.write(`${results.length - failed} passed, ${failed} failed, in ${seconds} s\n`);
    return failed === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Lacking)) throw error;
    process.stdout.write(`SKIPPED: test:wine (${error.message})\n`);
    return 0;
  } finally {
    await lock.release();
  }
}

/** Whether each scenario of each step went well. */
async function performAll(steps, windows) {
  const results = [];
  try {
    for (const [name, step] of steps) results.push(...(await perform(name, step, windows)));
  } finally {
    windows.end();
  }
  return results;
}

/** Whether each scenario of a step went well; a step that runs here has one. */
async function perform(name, step, windows) {
  if (step.inside !== undefined) return runInside(windows, step, report);
  const began = Date.now();
  try {
    const seen = await step.run(windows, options.gate === true);
    return [report({ name, isWell: true, seen, ms: Date.now() - began })];
  } catch (error) {
    return [report({ name, isWell: false, seen: error.message, ms: Date.now() - began })];
  }
}

function report({ name, isWell, seen, ms }) {
  process.stdout.write(`${isWell ? "ok  " : "FAIL"} ${name} (${(ms / 1000).toFixed(1)} s): ${seen}\n`);
  return isWell;
}

function chosen() {
  const steps = Object.entries(STEPS);
  if (options.gate) return steps.filter(([, step]) => step.isShort);
  if (options.only === undefined) return steps;
  const found = steps.filter(([name]) => options.only.some((word) => name.includes(word)));
  if (found.length > 0) return found;
  usage(`no step has ${options.only.join(" or ")} in its name; --list has all`);
}

function cacheFolder() {
  const { ISOTORCH_WINE_CACHE: given, XDG_CACHE_HOME: caches } = process.env;
  return resolve(given || join(caches || join(homedir(), ".cache"), "isotorch/wine"));
}

function readOptions() {
  try {
    const wanted = {
      gate: { type: "boolean" },
      list: { type: "boolean" },
      only: { type: "string", multiple: true },
    };
    return parseArgs({ options: wanted }).values;
  } catch (error) {
    return usage(error.message);
  }
}

function usage(message) {
  process.stderr.write(`test:wine: ${message}\n`);
  process.exit(2);
}
