/** One statement typed at the prompt. */
export interface TutorialStep {
  /** The statement as it is shown; further lines are continuation lines. */
  readonly python: string;
  /** What is run in its stead where the shown one would download, or names a file of this package. */
  readonly runs?: string;
  /** What the prompt prints, without the last line end; empty for nothing. */
  readonly output: string;
}

/** A statement that is run as it is shown. */
export function step(python: string, output = ""): TutorialStep {
  return { python, output };
}
