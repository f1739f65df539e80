/** The progress of a setup: a bar on a terminal, a line for each finished package elsewhere. */
import { excerpt } from "../../base/text/shown.ts";
import type { SetupProgress } from "../../setup/progress.ts";
import { type Output, StatusLine, barOf } from "./status-line.ts";

/** What shows progress, and takes the bar away before something else is written. */
export interface ProgressBar {
  readonly show: (progress: SetupProgress) => void;
  readonly clear: () => void;
}

/** Seconds between two lines where there is no terminal, and nothing else has happened. */
const QUIET_S = 10;

/** @param output usually `process.stderr`. */
export function progressBar(output: Output): ProgressBar {
  let phase = "";
  let told = 0;
  const line = new StatusLine(output);
  return {
    show: (event) => {
      const { seconds = 0 } = event;
      if (event.phase !== phase && seconds < told) told = 0;
      if (output.isTTY === true) {
        line.show(drawn(event));
      } else if (event.finished || event.phase !== phase || seconds - told >= QUIET_S) {
        output.write(`${lineOf(event)}\n`);
        told = seconds;
      }
      phase = event.phase;
    },
    clear: () => line.clear(),
  };
}

function drawn(event: SetupProgress): string {
  const { phase, progress } = event;
  const name = excerpt(event.name ?? "");
  const words = [phase, name, detailsOf(event)].filter(Boolean).join(" ");
  if (progress === undefined) return words;
  return `${barOf(progress / 100)} ${progress.toFixed(0).padStart(3)} % ${words}`;
}

function lineOf(event: SetupProgress): string {
  const { phase, progress, name = "" } = event;
  const percent = progress === undefined ? "" : `${progress.toFixed(0)} %`;
  return [phase, name, percent, detailsOf(event)].filter(Boolean).join(" ");
}

/** Such as `(812 of 2010 MB, 1:23)`. */
function detailsOf({ loaded = 0, total = 0, seconds = 0 }: SetupProgress): string {
  const size = total > 0 ? `${megabytes(loaded)} of ${megabytes(total)} MB` : "";
  const time = seconds > 0 ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : "";
  const details = [size, time].filter(Boolean).join(", ");
  return details === "" ? "" : `(${details})`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
