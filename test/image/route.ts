/** Who decodes a picture, and why, as its header alone tells. */
import { type Header, readHeader } from "../../src/image/format.ts";
import { DEFAULT_LIMITS } from "../../src/image/source/limits.ts";

export interface Route {
  readonly decoder: "sharp" | "worker";
  readonly reason: string;
  readonly header: Header;
}

/** Throws as `readHeader`. */
export function decoderFor(bytes: Uint8Array, pixels: number = DEFAULT_LIMITS.pixels): Route {
  const header = readHeader(bytes, { pixels });
  return header.doubt === undefined
    ? { decoder: "sharp", reason: `${header.format.toUpperCase()} of the kind ${header.kind}`, header }
    : { decoder: "worker", reason: header.doubt, header };
}
