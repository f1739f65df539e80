/** What the server and its decoder processes say to each other. */
import type { IsotorchErrorCode } from "../../errors.ts";
import type { InputSpec, Pixels } from "../../image/geometry.ts";

/** One picture to be decoded. */
export interface DecodeJob {
  readonly bytes: Uint8Array;
  readonly spec: InputSpec;
  readonly exif: "ignore" | "apply";
  readonly icc: "ignore" | "to-srgb";
  readonly mode: "convert-rgb" | "strict";
  /** `crop`: what the network sees, uint8 RGB. `picture`: the whole picture. */
  readonly want: "crop" | "picture";
}

/** What became of it. */
export type DecodeReply =
  | { readonly kind: "pixels"; readonly pixels: Pixels; readonly timings: Readonly<Record<string, number>> }
  /** It goes to the Python worker as it is: only Pillow reads it as Pillow does, or may still read it. */
  | { readonly kind: "pillow"; readonly why: "format" | "damage" }
  | {
      readonly kind: "failed";
      readonly code: IsotorchErrorCode;
      readonly message: string;
      readonly hint: string;
    };
