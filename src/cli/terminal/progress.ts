/** Says on a terminal's stderr what a start waits for. */
import { excerpt } from "../../base/text/shown.ts";
import type { ProgressEvent } from "../../classification/options.ts";
import { STATUS, barOf } from "./status-line.ts";

export function showProgress({ status, name, progress }: ProgressEvent): void {
  if (status === "ready" || status === "done") return STATUS.clear();
  const bar = progress === undefined ? "" : `${barOf(progress / 100)} ${progress.toFixed(0).padStart(3)} % `;
  STATUS.show(`${bar}${status === "worker" ? "worker: " : ""}${excerpt(name)}`);
}
