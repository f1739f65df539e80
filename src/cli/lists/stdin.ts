import { Readable } from "node:stream";

/** Standard input as an image input: it is read, within the limits of every stream, when its turn comes. */
export function readStdin(): ReadableStream<Uint8Array> {
  return Readable.toWeb(process.stdin) as ReadableStream<Uint8Array>;
}
