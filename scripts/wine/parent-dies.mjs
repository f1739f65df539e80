// The controller is killed, as TerminateProcess does it, while its worker imports: python.exe has to go by itself.
import { setTimeout as sleep } from "node:timers/promises";
import { NUMPYS } from "./recipe.mjs";
import { Failed, until } from "./run.mjs";

const PATIENCE_MS = 60_000;
/** The worker looks at its parent five times a second; the rest is for a busy machine. */
const GONE_MS = 5_000;

export async function parentDies(windows) {
  const seen = [];
  for (const env of Object.keys(NUMPYS)) seen.push(`${env}: ${await dies(windows, env)}`);
  return seen.join(", ");
}

async function dies(windows, env) {
  const { ended } = windows.start(["inside/children/start.mjs", env]);
  const worker = await until(() => windows.pids("isotorch_worker", "serve")[0], PATIENCE_MS);
  // It has read its start-up line by now, and imports for seconds.
  await sleep(1_500);
  const [node] = windows.pids("children/start.mjs");
  if (worker === undefined || node === undefined) throw new Failed(`${env}: there is no worker`);
  const began = Date.now();
  process.kill(node, "SIGKILL");
  const isGone = await until(() => windows.pids("isotorch_worker", "serve").length === 0, GONE_MS);
  await ended;
  if (isGone === undefined) throw new Failed(`${env}: the worker is still there after ${GONE_MS / 1000} s`);
  return `gone after ${Date.now() - began} ms`;
}
