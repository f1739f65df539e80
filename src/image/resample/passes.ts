/** The two orders of the resampler's passes, each with as little memory in the kernel as it can do with. */
import type { Coefficients } from "./coefficients.ts";
import type { Pixels } from "./geometry.ts";
import { kernelOf } from "./kernel.ts";
import { bytesOf, Layout, packColumns, packRows, roundUp } from "./layout.ts";

/** Source bytes that are in the kernel's memory at a time: they stay in the processor's cache between copy and use. */
const BAND_BYTES = 64 * 1024;
/** The same for a stripe, which is as high as the picture. */
const STRIPE_BYTES = 1024 * 1024;

/** Rows first: each row is narrowed, then the columns of what is left. RGB bytes of `columns` x `rows` pixels. */
export function horizontalFirst(pixels: Pixels, columns: Coefficients, rows: Coefficients): Uint8Array {
  const [left, right] = extent(columns);
  const [top, bottom] = extent(rows);
  const width = columns.start.length * 3;
  // The horizontal pass writes a byte beyond each row, the vertical pass takes 16 bytes at a time.
  const stride = roundUp(width + 1);
  const columnWeights = packColumns(columns, left);
  const rowWeights = packRows(rows, top, stride);

  const rowBytes = (right - left) * 3;
  const bandRows = bandOf(rowBytes);
  const layout = new Layout();
  const columnsAt = layout.place(columnWeights.byteLength);
  const rowsAt = layout.place(rowWeights.byteLength);
  const bandAt = layout.place((bandRows + 3) * rowBytes + 64);
  const narrowAt = layout.place((bottom - top + 4) * stride);
  const targetAt = layout.place(rows.start.length * width + 16);

  const kernel = kernelOf(layout.bytes);
  const memory = new Uint8Array(kernel.memory.buffer);
  memory.set(bytesOf(columnWeights), columnsAt);
  memory.set(bytesOf(rowWeights), rowsAt);
  for (let y = top; y < bottom; y += bandRows) {
    const count = Math.min(bandRows, bottom - y);
    for (let row = 0; row < count; row++) {
      const source = ((y + row) * pixels.width + left) * 3;
      memory.set(pixels.data.subarray(source, source + rowBytes), bandAt + row * rowBytes);
    }
    const target = narrowAt + (y - top) * stride;
    kernel.horizontal(bandAt, rowBytes, count, columnsAt, columns.start.length, target, stride);
  }
  kernel.vertical(narrowAt, stride, rowsAt, rows.start.length, targetAt, width);
  return memory.slice(targetAt, targetAt + rows.start.length * width);
}

/** Columns first: the picture is lowered, in stripes that are as high as it is, then each row of what is left. */
export function verticalFirst(pixels: Pixels, columns: Coefficients, rows: Coefficients): Uint8Array {
  const [left, right] = extent(columns);
  const low = lowered(pixels, rows, left, right);
  const rowBytes = (right - left) * 3;
  const height = rows.start.length;
  const width = columns.start.length * 3;
  const stride = roundUp(width + 1);
  const columnWeights = packColumns(columns, left);
  const bandRows = bandOf(rowBytes);
  const layout = new Layout();
  const columnsAt = layout.place(columnWeights.byteLength);
  const bandAt = layout.place((bandRows + 3) * rowBytes + 64);
  const targetAt = layout.place((bandRows + 4) * stride);

  const kernel = kernelOf(layout.bytes);
  const memory = new Uint8Array(kernel.memory.buffer);
  memory.set(bytesOf(columnWeights), columnsAt);
  const out = new Uint8Array(height * width);
  for (let y = 0; y < height; y += bandRows) {
    const count = Math.min(bandRows, height - y);
    memory.set(low.subarray(y * rowBytes, (y + count) * rowBytes), bandAt);
    kernel.horizontal(bandAt, rowBytes, count, columnsAt, columns.start.length, targetAt, stride);
    for (let row = 0; row < count; row++) {
      const at = targetAt + row * stride;
      out.set(memory.subarray(at, at + width), (y + row) * width);
    }
  }
  return out;
}

/** The columns `left` to `right - 1` of a picture, resized vertically. */
function lowered(pixels: Pixels, rows: Coefficients, left: number, right: number): Uint8Array {
  const [top, bottom] = extent(rows);
  const height = rows.start.length;
  const rowBytes = (right - left) * 3;
  const wanted = Math.trunc(STRIPE_BYTES / (bottom - top)) & ~15;
  const stripe = Math.min(roundUp(rowBytes), Math.max(48, wanted));
  const rowWeights = packRows(rows, top, stripe);
  const layout = new Layout();
  const rowsAt = layout.place(rowWeights.byteLength);
  const sourceAt = layout.place((bottom - top + 4) * stripe);
  const targetAt = layout.place(height * stripe + 16);

  const kernel = kernelOf(layout.bytes);
  const memory = new Uint8Array(kernel.memory.buffer);
  memory.set(bytesOf(rowWeights), rowsAt);
  const out = new Uint8Array(height * rowBytes);
  for (let from = 0; from < rowBytes; from += stripe) {
    const width = Math.min(stripe, rowBytes - from);
    for (let y = top; y < bottom; y++) {
      const source = (y * pixels.width + left) * 3 + from;
      memory.set(pixels.data.subarray(source, source + width), sourceAt + (y - top) * stripe);
    }
    kernel.vertical(sourceAt, stripe, rowsAt, height, targetAt, width);
    for (let y = 0; y < height; y++) {
      out.set(memory.subarray(targetAt + y * width, targetAt + (y + 1) * width), y * rowBytes + from);
    }
  }
  return out;
}

/** Rows of a band: a multiple of four. */
function bandOf(rowBytes: number): number {
  return Math.max(4, Math.trunc(BAND_BYTES / rowBytes) & ~3);
}

/** First source position that is read, and the one after the last. */
function extent({ start, length }: Coefficients): [first: number, end: number] {
  const last = start.length - 1;
  return last < 0 ? [0, 0] : [start[0]!, start[last]! + length[last]!];
}
