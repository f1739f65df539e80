import type { SetupProgress } from "./progress.ts";
import type { Variant } from "./conda/variant.ts";
import type { Way } from "./plan.ts";

/** What `setup` is asked to do, and where it tells what it does. */
export interface SetupRequest {
  readonly via?: Way;
  /** An interpreter: used as it is where it fits, else the base of a virtual environment. */
  readonly python?: string;
  /** Which of the conda environments. @default by the GPU */
  readonly variant?: Variant;
  readonly dryRun?: boolean;
  /** What is said to the user, one line each. */
  readonly say: (line: string) => void;
  /** What the tools print, one line each. */
  readonly echo: (line: string) => void;
  /** How far the conda family has come; the lines that told it are not echoed. */
  readonly onProgress?: (progress: SetupProgress) => void;
  /**
   * Asks the tool that is at work to end. The conda family is given the time to end its download or to take its
   * transaction back; whoever does not want to wait ends this process, and with it the tool.
   */
  readonly signal?: AbortSignal;
}
