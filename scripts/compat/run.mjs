// Running programs for `npm run compat`, and ending it with a sentence.
import { spawnSync } from "node:child_process";

/** The command, as `npm run build` makes it. */
export const MAIN = "dist/cli/main.js";

const UNREACHABLE =
  /NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|Temporary failure|Network is unreachable/;

/** Ends the whole run. */
export class Stop extends Error {
  constructor(sentence, code = 3) {
    super(sentence);
    this.code = code;
  }
}

export function run(file, args) {
  return spawnSync(file, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1024 * 1024 * 1024,
  });
}

export function isotorch(args) {
  return run(process.execPath, [MAIN, ...args]);
}

/** The result, if the program ended well. */
export function orStop(name, result) {
  if (result.status === 0) return result;
  if (UNREACHABLE.test(result.stderr ?? "")) {
    const hint = "Check the network or the proxy, then run this again.";
    throw new Stop(`${name} cannot be made: PyPI cannot be reached. ${hint}`);
  }
  throw new Stop(`${name}: ${lastLine(result)}`);
}

export function lastLine({ error, stderr, status, signal }) {
  return error?.message ?? (stderr.trim().split("\n").at(-1) || `it ended with ${status ?? signal}`);
}

/** What is going on, on stderr, with the seconds since the start. */
export function tell(text) {
  const seconds = Math.round(performance.now() / 1000);
  process.stderr.write(`${String(seconds).padStart(5)} s  ${text}\n`);
}
