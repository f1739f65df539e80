/** The progress of a setup: a bar on a terminal, a line for each finished package elsewhere. */
import { excerpt } from "../base/shown.ts";
import type { SetupProgress } from "../setup/progress.ts";

const CELLS = 24;

/** Where progress is shown. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** What shows progress, and takes the bar away before something else is written. */
export interface ProgressBar {
  readonly show: (progress: SetupProgress) => void;
  readonly clear: () => void;
}

/** @param output usually `process.stderr`. */
export function progressBar(output: Output): ProgressBar {
  let phase = "";
  let isShown = false;
  const clear = (): void => {
    if (isShown) output.write("\r\u001B[2K");
    isShown = false;
  };
  return {
    show: (event) => {
      if (output.isTTY === true) {
        clear();
        output.write(barOf(event));
        isShown = true;
      } else if (event.finished || event.phase !== phase) {
        output.write(`${lineOf(event)}\n`);
      }
      phase = event.phase;
    },
    clear,
  };
}

function barOf({ phase, progress, name: given = "" }: SetupProgress): string {
  const name = excerpt(given);
  if (progress === undefined) return `${phase} ${name}`.trim();
  const full = Math.round((CELLS * progress) / 100);
  const bar = "█".repeat(full) + "░".repeat(CELLS - full);
  return `${bar} ${progress.toFixed(0).padStart(3)} % ${phase} ${name}`.trimEnd();
}

function lineOf({ phase, progress, name = "" }: SetupProgress): string {
  const percent = progress === undefined ? "" : `${progress.toFixed(0)} %`;
  return [phase, name, percent].filter(Boolean).join(" ");
}
