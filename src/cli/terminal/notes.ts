/** What a command says besides its answers: one line on stderr each. */
import { basename } from "node:path";
import { shown, told } from "../../base/text/shown.ts";
import { say } from "./terminal.ts";
import type { ClassifierInfo } from "../../classification/info.ts";
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

/**
 * What is to be known of the network: that it has learnt nothing, or what was found in a file of one's own. Remarks on the file
 * are warnings of the classifier's.
 *
 * @param what of an untrained network means nothing.
 */
export function sayNetwork({ model, classes, weights }: ClassifierInfo, what = "labels"): void {
  const { name = "The server's network", trained } = weights;
  STATUS.clear();
  if (trained === false) say(`${name}: an untrained network, its ${what} mean nothing.\n`, process.stderr);
  if (trained !== null || !("path" in weights)) return;
  const { path, checkpointKey, prefix } = weights;
  const found = [
    `${shown(basename(path))} is ${model}'s with ${classes} ${classes === 1 ? "class" : "classes"}`,
    ...(checkpointKey === undefined ? [] : [`its state dict stands at ${shown(checkpointKey)}`]),
    ...(prefix === undefined ? [] : [`${shown(prefix)} was taken off the front of each name`]),
  ];
  say(`${found.join("; ")}.\n`, process.stderr);
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
