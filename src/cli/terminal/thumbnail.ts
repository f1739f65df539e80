/** A small picture in a terminal, beside which text can be written. */
import { writePng } from "../../image/png.ts";
import type { Pixels } from "../../image/resample/geometry.ts";
import { resize } from "../../image/resample/resample.ts";
import type { ThumbnailKind } from "./terminal.ts";

/** Its place, in characters; a character is about twice as high as wide. */
const COLUMNS = 22;
const ROWS = 8;
/** With the gap before the text. */
export const THUMBNAIL_WIDTH: number = COLUMNS + 2;
const ESC = "\x1b";

/** The lines of text with the picture at their left. */
export async function besideThumbnail(
  pixels: Pixels,
  lines: readonly string[],
  kind: ThumbnailKind,
): Promise<string> {
  const rows = Math.max(ROWS, lines.length);
  const right = Array.from({ length: rows }, (_, row) => lines[row] ?? "");
  if (kind === "blocks") {
    const left = blocks(pixels);
    return right
      .map((line, row) => `${left[row] ?? "".padEnd(COLUMNS)}  ${line}`.trimEnd())
      .join("\n")
      .concat("\n");
  }
  // Room is made first, so that the picture does not scroll away from under its text.
  const room = `${"\n".repeat(rows)}${ESC}[${rows}A`;
  const text = right.map((line) => `\r${ESC}[${THUMBNAIL_WIDTH}C${line}\n`).join("");
  const drawn = await (kind === "kitty" ? kitty : iterm)(pixels);
  return `${room}${drawn}${text}`;
}

/** Two pixels to a character: the upper one in the colour of its half block, the lower one behind it. */
export function blocks(pixels: Pixels): string[] {
  const { data, width, height } = shrunk(pixels, COLUMNS, ROWS * 2);
  const colour = (x: number, y: number): string => {
    const at = (y * width + x) * 3;
    return `${data[at]};${data[at + 1]};${data[at + 2]}`;
  };
  const line = (y: number): string => {
    let row = "";
    for (let x = 0; x < width; x++) {
      const lower = y + 1 < height ? `48;2;${colour(x, y + 1)}` : "49";
      row += `${ESC}[38;2;${colour(x, y)};${lower}m▀`;
    }
    return `${row}${ESC}[0m${"".padEnd(COLUMNS - width)}`;
  };
  return Array.from({ length: Math.ceil(height / 2) }, (_, row) => line(row * 2));
}

/** The kitty graphics protocol: a PNG in base64, in pieces of at most 4096 characters; the cursor stays (`C=1`). */
async function kitty(pixels: Pixels): Promise<string> {
  const { png, width, height } = await image(pixels);
  const place = sizeIn(width, height);
  const pieces = png.toString("base64").match(/.{1,4096}/g) ?? [];
  return pieces
    .map((piece, at) => {
      const first = at === 0 ? `a=T,f=100,q=2,C=1,${place},` : "";
      return `${ESC}_G${first}m=${at + 1 < pieces.length ? 1 : 0};${piece}${ESC}\\`;
    })
    .join("");
}

function sizeIn(width: number, height: number): string {
  return width > height ? `c=${COLUMNS}` : `r=${ROWS}`;
}

/** iTerm2's inline images: a PNG in base64; the cursor is put back by hand. */
async function iterm(pixels: Pixels): Promise<string> {
  const { png } = await image(pixels);
  const size = `width=${COLUMNS};height=${ROWS};preserveAspectRatio=1`;
  return `${ESC}7${ESC}]1337;File=inline=1;size=${png.length};${size}:${png.toString("base64")}\x07${ESC}8`;
}

async function image(pixels: Pixels): Promise<{ png: Buffer; width: number; height: number }> {
  const small = shrunk(pixels, COLUMNS * 12, ROWS * 24);
  const png = await writePng({ ...small, channels: 3 });
  return { png, width: small.width, height: small.height };
}

/** The whole picture within these measures, its shape kept. */
function shrunk(pixels: Pixels, columns: number, rows: number): Pixels {
  const scale = Math.min(columns / pixels.width, rows / pixels.height, 1);
  const size = (side: number): number => Math.max(1, Math.round(side * scale));
  return resize(pixels, { width: size(pixels.width), height: size(pixels.height) }, "bilinear");
}
