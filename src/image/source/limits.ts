import { IsotorchError } from "../../base/errors.ts";

/** How much a picture may be before anything is decoded; what is left out has its default. */
export interface PartialLimits {
  /** Width times height. @default 178956970, as Pillow */
  readonly pixels?: number | undefined;
  /** Bytes of the file. @default 603979776, which is also the most */
  readonly bytes?: number | undefined;
  /** Width, and height: decoders take their time for each row, however short. @default 250000 */
  readonly side?: number | undefined;
  /**
   * Scans of a JPEG: each goes over the whole picture. All together may go over twenty times `pixels`.
   * @default 100, where pictures have ten to fifteen
   */
  readonly scans?: number | undefined;
  /**
   * Pieces of a file that readers go through one by one: segments of a JPEG, chunks of a PNG or WebP, blocks before the first
   * picture of a GIF, tags and strips of a TIFF, pictures of an ICO, boxes of a JPEG 2000, comments of a PPM. Chunks and
   * strips of 1 KiB of pixels or more do not count.
   * @default 4096
   */
  readonly chunks?: number | undefined;
}

/** All of them. */
export type Limits = { readonly [Name in keyof PartialLimits]-?: number };

/** What Pillow opens by itself, and files that hold so many pixels without compression; more of the rest than pictures have. */
export const DEFAULT_LIMITS: Limits = {
  pixels: 178_956_970,
  bytes: 576 * 1024 * 1024,
  side: 250_000,
  scans: 100,
  chunks: 4_096,
};

/** How often scans may go over as many pixels as a picture may have: ten times is usual. */
const MOST_PASSES = 20;

/** The limits that were given, and the defaults for the others. */
export function limitsOf(given: PartialLimits = {}): Limits {
  const { pixels, bytes, side, scans, chunks } = DEFAULT_LIMITS;
  return {
    pixels: given.pixels ?? pixels,
    bytes: given.bytes ?? bytes,
    side: given.side ?? side,
    scans: given.scans ?? scans,
    chunks: given.chunks ?? chunks,
  };
}

/** @throws IsotorchError `INPUT_TOO_LARGE` beyond the limits of pixels and sides. */
export function checkSize(
  { width, height }: { readonly width: number; readonly height: number },
  { pixels, side }: Pick<Limits, "pixels" | "side">,
): void {
  const size = `${width} × ${height}`;
  if (width * height > pixels) {
    throw new IsotorchError("INPUT_TOO_LARGE", `the picture has ${size} pixels, more than ${pixels}`, {
      hint: "raise `limits.pixels` (`--max-pixels`), or make the picture smaller first",
    });
  }
  if (Math.max(width, height) <= side) return;
  throw new IsotorchError("INPUT_TOO_LARGE", `the picture has ${size} pixels, a side of more than ${side}`, {
    hint: "raise `limits.side` (`--max-side`), or cut the picture into shorter ones first",
  });
}

/** Counts parts of a file, and refuses it at the first that is too many. */
export class Counter {
  readonly #most: number;
  readonly #refuse: (most: number) => IsotorchError;
  #count = 0;

  constructor(most: number, refuse: (most: number) => IsotorchError) {
    this.#most = most;
    this.#refuse = refuse;
  }

  /** @throws IsotorchError `INPUT_TOO_LARGE`. */
  count(parts = 1): void {
    this.#count += parts;
    if (this.#count > this.#most) throw this.#refuse(this.#most);
  }
}

/** @param parts what is counted, and of what, as `segments of a JPEG`. */
export function countChunks(parts: string, { chunks }: Pick<Limits, "chunks">): Counter {
  return new Counter(
    chunks,
    (most) =>
      new IsotorchError("INPUT_TOO_LARGE", `the file has more than ${most} ${parts}`, {
        hint: "raise `limits.chunks` (`--max-chunks`), or open and save the picture with another program",
      }),
  );
}

/** Counts the scans of a JPEG of so many pixels, 0 where its header does not tell. */
export function countScans(size: number, { scans, pixels }: Pick<Limits, "scans" | "pixels">): Counter {
  const hint = "open and save the picture with another program";
  const most = size === 0 ? scans : Math.floor((MOST_PASSES * pixels) / size);
  if (most >= scans) {
    return new Counter(
      scans,
      () =>
        new IsotorchError("INPUT_TOO_LARGE", `the JPEG has more than ${scans} scans`, {
          hint: `raise \`limits.scans\` (\`--max-scans\`), or ${hint}`,
        }),
    );
  }
  return new Counter(
    most,
    () =>
      new IsotorchError("INPUT_TOO_LARGE", `the JPEG has more than ${most} scans of ${size} pixels each`, {
        hint: `raise \`limits.pixels\` (\`--max-pixels\`), a twentieth of what all scans may have together, or ${hint}`,
      }),
  );
}
