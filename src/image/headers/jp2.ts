import type { Counter } from "../source/limits.ts";
import type { HeaderFacts } from "./facts.ts";

/** The size in a JPEG 2000, of a file with boxes or of a bare codestream; zeros where it is not plainly there. */
export function jp2(view: Buffer, boxes: Counter): Pick<HeaderFacts, "width" | "height" | "mode"> {
  const unknown = { width: 0, height: 0, mode: undefined };
  if (view[0] === 0xff) {
    const width = view.readUInt32BE(8) - view.readUInt32BE(16);
    const height = view.readUInt32BE(12) - view.readUInt32BE(20);
    return { width, height, mode: undefined };
  }
  countBoxes(view, boxes);
  const header = boxOf(view, "jp2h");
  const ihdr = header && boxOf(header, "ihdr");
  return ihdr ? { width: ihdr.readUInt32BE(4), height: ihdr.readUInt32BE(0), mode: undefined } : unknown;
}

/** The body of the first box of a name, among boxes that stand one behind the other. */
function boxOf(view: Buffer, name: string): Buffer | undefined {
  for (let at = 0; at + 8 <= view.length;) {
    const length = view.readUInt32BE(at);
    if (length < 8 || at + length > view.length) return undefined;
    if (view.toString("latin1", at + 4, at + 8) === name) return view.subarray(at + 8, at + length);
    at += length;
  }
  return undefined;
}

/** Boxes with a length of 8 bytes as well. @throws IsotorchError `INPUT_TOO_LARGE`. */
function countBoxes(view: Buffer, boxes: Counter): void {
  for (let at = 0; at + 16 <= view.length;) {
    boxes.count();
    const short = view.readUInt32BE(at);
    const length = short === 1 ? Number(view.readBigUInt64BE(at + 8)) : short;
    if (length < 8) return;
    const isHeader = view.toString("latin1", at + 4, at + 8) === "jp2h";
    if (isHeader) countBoxes(view.subarray(at + (short === 1 ? 16 : 8), at + length), boxes);
    at += length;
  }
}
