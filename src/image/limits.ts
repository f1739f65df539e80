import { MAX_PIXELS } from "./format.ts";

/** How large a picture may be before anything is decoded. */
export interface Limits {
  /** Width times height. */
  readonly pixels: number;
  /** Bytes of the file. */
  readonly bytes: number;
}

/** What Pillow opens by itself, and files that hold so many pixels without compression. */
export const DEFAULT_LIMITS: Limits = { pixels: MAX_PIXELS, bytes: 576 * 1024 * 1024 };
