/** What a command says besides its answers: one line on stderr each. */
import { told } from "../../base/text/shown.ts";
import { say } from "./terminal.ts";
import type { Logger } from "../../classification/options.ts";
import { STATUS } from "./status-line.ts";

const said = new Set<string>();

/** A sentence on a line of stderr, in the place of a progress line where there is one; each sentence once. */
export function note(sentence: string): void {
  if (said.has(sentence)) return;
  said.add(sentence);
  STATUS.clear();
  say(`${sentence}\n`, process.stderr);
}

/** One line for what a search for pictures passed over, if it did. */
export function sayPassed(passed: { toString(): string }): void {
  const line = passed.toString();
  if (line !== "") say(`${line}\n`, process.stderr);
}

const quiet = (): void => undefined;

/** Warnings are for whoever runs the command, the rest is not. */
export const WARNINGS: Logger = { debug: quiet, info: quiet, warn: note, error: quiet };

/** The same among the lines of a server's log, which are JSON. */
export const LOGGED_WARNINGS: Logger = {
  ...WARNINGS,
  warn: (msg) =>
    void process.stderr.write(`${JSON.stringify({ level: 40, time: Date.now(), msg: told(msg) })}\n`),
};
