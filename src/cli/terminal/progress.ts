/** One line on a terminal's stderr that says what is being waited for. */
import { excerpt } from "../../base/text/shown.ts";
import { say } from "./terminal.ts";
import type { ProgressEvent } from "../../classification/options.ts";

let isShown = false;

/** Shows an event in the place of the one before. */
export function showProgress({ status, name, progress }: ProgressEvent): void {
  if (status === "ready" || status === "done") return clearProgress();
  const percent = progress === undefined ? "" : ` ${progress.toFixed(0)} %`;
  process.stderr.write(`\r\x1b[2K${status === "worker" ? "worker: " : ""}${excerpt(name)}${percent}`);
  isShown = true;
}

/** Takes the line away, where there is one. */
export function clearProgress(): void {
  if (isShown) process.stderr.write("\r\x1b[2K");
  isShown = false;
}

/** One line on stderr for what a search for pictures passed over, if it did. */
export function sayPassed(passed: { toString(): string }): void {
  const line = passed.toString();
  if (line !== "") say(`${line}\n`, process.stderr);
}
