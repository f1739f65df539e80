/** What a header says about a picture. */
export interface HeaderFacts {
  readonly width: number;
  readonly height: number;
  /** The mode by Pillow's name (`RGB`, `L`, `P`, `RGBA`, `CMYK`, ...); undefined where the header alone does not tell. */
  readonly mode: string | undefined;
  /** Why Pillow itself must decode it; undefined when sharp's bytes are proven equal. */
  readonly doubt: string | undefined;
  /** The TIFF block with the EXIF tags, where there is one. */
  readonly exif?: Uint8Array | undefined;
  /** The orientation that XMP gives, which Pillow takes from PNG files without one in EXIF. */
  readonly xmpOrientation?: number | undefined;
  readonly kind?: string | undefined;
  readonly orientation?: number | undefined;
  readonly hasProfile?: boolean;
}
