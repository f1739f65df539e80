// Running this system's programs for `npm run test:wine`, and ending it with a sentence.
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** Something that this machine does not have: the tests are skipped, and the sentence says why. */
export class Lacking extends Error {}

/** A step that did not see what it should; the message is what it saw. */
export class Failed extends Error {}

const UNREACHABLE =
  /NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|Temporary failure|Network is unreachable|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|No matching distribution|No route to host/;

/** What a program printed. @throws Lacking where it did not reach its server; Error where it failed otherwise. */
export function run(file, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  if (status === 0) return stdout;
  const said = `${stderr ?? ""}${stdout ?? ""}`.trim();
  const command = [file, ...args.slice(0, 2)].join(" ");
  if (UNREACHABLE.test(said)) throw new Lacking(`${command} reaches no server`);
  throw new Error(`${command} ended with ${status ?? error?.message}: ${said.slice(-2_000)}`);
}

export function tell(text) {
  process.stderr.write(`> ${text}\n`);
}

/** What `look` finds, as soon as it finds something; `undefined` after so many milliseconds. */
export async function until(look, ms) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(50)) {
    const found = look();
    if (found) return found;
  }
  return undefined;
}
