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

/** Limits of which some may be left out. */
export interface PartialLimits {
  readonly pixels?: number | undefined;
  readonly bytes?: number | undefined;
}

/** The limits that were given, and the defaults for the others. */
export function limitsOf({ pixels, bytes }: PartialLimits = {}): Limits {
  return { pixels: pixels ?? DEFAULT_LIMITS.pixels, bytes: bytes ?? DEFAULT_LIMITS.bytes };
}
