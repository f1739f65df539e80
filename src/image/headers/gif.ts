/** The blocks of a GIF before its first picture: Pillow goes through them one by one, and joins comments piece by piece. */
import type { Counter } from "../source/limits.ts";

const [EXTENSION, PICTURE, END] = [0x21, 0x2c, 0x3b] as const;

/** @throws IsotorchError `INPUT_TOO_LARGE`; RangeError where the file ends before its first picture. */
export function countBlocks(view: Buffer, blocks: Counter): void {
  const flags = view.readUInt8(10);
  let at = 13 + ((flags & 0x80) === 0 ? 0 : 3 << ((flags & 7) + 1));
  for (;;) {
    const kind = view.readUInt8(at);
    if (kind === PICTURE || kind === END) return;
    blocks.count();
    // Anything else is passed over, byte by byte.
    at = kind === EXTENSION ? afterParts(view, at + 2, blocks) : at + 1;
  }
}

/** Where the parts of an extension end, each with its length before it. */
function afterParts(view: Buffer, from: number, blocks: Counter): number {
  let at = from;
  for (;;) {
    const length = view.readUInt8(at);
    at += 1 + length;
    if (length === 0) return at;
    blocks.count();
  }
}
