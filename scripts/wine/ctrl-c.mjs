// Ctrl-C typed on a terminal, Wine's console on a pty of `script`, while the command waits for pictures.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { NUMPYS } from "./recipe.mjs";
import { Failed, until } from "./run.mjs";

const CONTROL_C = "\x03";
const START_MS = 120_000;
const END_MS = 20_000;

export async function ctrlC(windows) {
  const [env] = Object.keys(NUMPYS);
  const main = "node_modules/isotorch/dist/cli/main.js";
  const words = [
    main,
    "classify",
    "--watch",
    String.raw`D:\my pictures`,
    "--env",
    env,
    "--weights",
    "untrained:0",
  ];
  const command = windows.nodeCommand(words).map((word) => `'${word}'`);
  const child = spawn("script", ["--quiet", "--return", "--command", command.join(" "), "/dev/null"], {
    cwd: windows.project,
    env: windows.variables(),
    stdio: ["pipe", "pipe", "inherit"],
  });
  let seen = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (seen += text));
  const ended = once(child, "close");
  // It is said when the worker is ready, and then it waits.
  const isReady = await until(() => seen.includes("an untrained network"), START_MS);
  if (!isReady) {
    child.kill("SIGKILL");
    throw new Failed(`it does not start: ${seen.slice(-300)}`);
  }
  await sleep(500);
  const began = Date.now();
  child.stdin.write(CONTROL_C);
  const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
  const [code] = await ended;
  clearTimeout(timer);
  const left = windows.pids("isotorch_worker", "serve").length;
  const what = `exit code ${code} after ${Date.now() - began} ms, workers left: ${left}`;
  if (code !== 130 || left > 0) throw new Failed(what);
  return what;
}
