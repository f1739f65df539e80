/** The line of a terminal that says how far something is: written in the place of the one before, taken away in the end. */

/** Where such a line is shown. */
export interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class StatusLine {
  readonly #output: Output;
  #isShown = false;

  constructor(output: Output) {
    this.#output = output;
  }

  show(text: string): void {
    this.clear();
    this.#output.write(text);
    this.#isShown = true;
  }

  /** Takes the line away, where there is one. */
  clear(): void {
    if (this.#isShown) this.#output.write("\r\u001B[2K");
    this.#isShown = false;
  }
}

/** The one of stderr: whatever a command waits for shares it. */
export const STATUS: StatusLine = new StatusLine(process.stderr);

const CELLS = 24;

/** @param share of the whole, 0 to 1. */
export function barOf(share: number): string {
  const full = Math.round(CELLS * Math.max(0, Math.min(1, share)));
  return "█".repeat(full) + "░".repeat(CELLS - full);
}

/** How long something takes, as people say it: `12 s`, `3 min`, `1.5 h`. */
export function spanOf(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5_400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`;
}
