/** What the server and its decoder processes say to each other. */
import type { IsotorchErrorCode } from "../../errors.ts";
import type { Pixels } from "../../image/geometry.ts";
import type { Job } from "../../image/prepare.ts";

/** One picture to be decoded, of which the whole or what the network sees is wanted. */
export type DecodeJob = Job;

/** What became of it. */
export type DecodeReply =
  | { readonly kind: "pixels"; readonly pixels: Pixels; readonly timings: Readonly<Record<string, number>> }
  /** It goes to the Python worker as it is, whose Pillow alone can tell what is in it. */
  | { readonly kind: "pillow" }
  | {
      readonly kind: "failed";
      readonly code: IsotorchErrorCode;
      readonly message: string;
      readonly hint: string;
    };
