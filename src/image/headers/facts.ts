/** What a header says about a picture. */
export interface HeaderFacts {
  /** Pixels; 0 where the header does not tell, or where readers would not agree. */
  readonly width: number;
  readonly height: number;
  /** The mode by Pillow's name (`RGB`, `L`, `P`, `RGBA`, `CMYK`, ...); undefined where the header alone does not tell. */
  readonly mode: string | undefined;
  /** The built-in picture that stands for this file, by name; undefined where none does. See `kinds.ts`. */
  readonly kind: string | undefined;
  /** Why Pillow must decode it; set exactly where `kind` is undefined. */
  readonly doubt: string | undefined;
  /** How `exif: "apply"` turns it, 1 to 8 as EXIF counts; undefined where only Pillow can tell. */
  readonly orientation: number | undefined;
  /** Whether a colour profile may be embedded; true where in doubt. */
  readonly hasProfile: boolean;
}

/** The facts of a picture that only Pillow can decode. */
export function leftToPillow(
  doubt: string,
  { width = 0, height = 0, mode }: Partial<Pick<HeaderFacts, "width" | "height" | "mode">> = {},
): HeaderFacts {
  return { width, height, mode, kind: undefined, doubt, orientation: undefined, hasProfile: true };
}
