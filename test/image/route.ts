/** Who decodes a picture, and why, as its header alone tells. */
import { type Header, MAX_PIXELS, readHeader } from "../../src/image/format.ts";

export interface Route {
  readonly decoder: "sharp" | "worker";
  readonly reason: string;
  readonly header: Header;
}

/** Throws as `readHeader`. */
export function decoderFor(bytes: Uint8Array, maxPixels: number = MAX_PIXELS): Route {
  const header = readHeader(bytes, maxPixels);
  return header.doubt === undefined
    ? { decoder: "sharp", reason: `${header.format.toUpperCase()} of the kind ${header.kind}`, header }
    : { decoder: "worker", reason: header.doubt, header };
}
