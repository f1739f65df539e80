import { shown } from "../../base/text/shown.ts";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { resolve } from "node:path";
import { outOfMemory } from "../../base/memory.ts";
import { pathOf } from "../../base/text/names.ts";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { looksLikeBase64 } from "./data-url.ts";

/** What bounds a read. */
export interface Bounds {
  /** Most bytes that are taken. */
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
  /** Where relative paths start. @default the folder of this process */
  readonly folder?: string | undefined;
}

/** Throws `ABORTED` once the signal has fired, with its reason as the cause. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new IsotorchError("ABORTED", "the call was aborted while the picture was loaded", {
    cause: signal.reason,
  });
}

/** Throws `INPUT_TOO_LARGE` when `bytes` is beyond the bound. `what` names the input, as the start of a sentence. */
export function throwIfTooLarge(bytes: number, maxBytes: number, what: string): void {
  if (bytes <= maxBytes) return;
  throw new IsotorchError("INPUT_TOO_LARGE", `${what} is larger than ${maxBytes} bytes`, {
    hint: "raise `limits.bytes` (`--max-bytes`), or make the picture smaller first",
  });
}

/**
 * Reads a regular file. Never waits on a pipe and never reads a device. Blocks while it reads: pictures are
 * prepared in a process of their own, and five calls by way of Node's thread pool cost a small picture half a millisecond.
 *
 * @throws IsotorchError `INPUT_NOT_FOUND`, `INPUT_UNREADABLE`, `INPUT_TOO_LARGE`, `ABORTED`.
 */
export function readFileBounded(path: string, bounds: Bounds): Uint8Array {
  throwIfAborted(bounds.signal);
  // Without O_NONBLOCK, opening a FIFO waits for its writer, and nothing can end that wait.
  const file = openFile(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0), bounds.folder);
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) {
      const what = stats.isDirectory() ? "a directory" : "not a regular file";
      throw new IsotorchError("INPUT_UNREADABLE", `${shown(path)} is ${what}`, {
        hint: "give the path of a picture file",
      });
    }
    throwIfTooLarge(stats.size, bounds.maxBytes, shown(path));
    return readAll(file, path, stats.size, bounds);
  } catch (cause) {
    throw cause instanceof IsotorchError ? cause : (outOfMemory(cause) ?? unreadable(shown(path), cause));
  } finally {
    closeSync(file);
  }
}

function openFile(path: string, flags: number, folder: string | undefined): number {
  try {
    return openSync(pathOf(folder === undefined ? path : resolve(folder, path)), flags);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENAMETOOLONG") {
      throw new IsotorchError("INPUT_UNREADABLE", `${shown(path)} is too long for the name of a file`, {
        hint: hintFor(path),
        cause,
      });
    }
    if (code !== "ENOENT" && code !== "ENOTDIR") throw unreadable(shown(path), cause);
    throw new IsotorchError("INPUT_NOT_FOUND", `there is no file ${shown(path)}`, {
      hint: hintFor(path),
      cause,
    });
  }
}

function hintFor(path: string): string {
  if (looksLikeBase64(path)) return "it looks like base64; give Buffer.from(text, 'base64')";
  const scheme = /^([a-z][a-z\d+.-]{1,30}):\/\//i.exec(path)?.[1] ?? (path.startsWith("blob:") ? "blob" : "");
  if (scheme !== "") return `${scheme}: addresses are not loaded, but http:, https:, file: and data: are`;
  return "check the path";
}

function readAll(file: number, path: string, size: number, bounds: Bounds): Uint8Array {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    throwIfAborted(bounds.signal);
    // One byte more than expected, so that the end of the file is seen and a growing file is noticed. Not from the pool
    // of small buffers: the bytes are handed on with the memory that they lie in.
    const chunk = Buffer.allocUnsafeSlow(Math.max(size - total, 0) + (total < size ? 1 : 65_536));
    const bytesRead = readSync(file, chunk);
    if (bytesRead === 0) break;
    total += bytesRead;
    throwIfTooLarge(total, bounds.maxBytes, shown(path));
    chunks.push(new Uint8Array(chunk.buffer, 0, bytesRead));
  }
  return joined(chunks, total);
}

/**
 * Reads a stream to its end, and cancels it when it is too large or the signal fires.
 *
 * @throws IsotorchError `INPUT_UNREADABLE`, `INPUT_TOO_LARGE`, `INVALID_INPUT`, `ABORTED`.
 */
export async function readStreamBounded(
  stream: ReadableStream<Uint8Array>,
  what: string,
  bounds: Bounds,
): Promise<Uint8Array> {
  throwIfAborted(bounds.signal);
  let reader: ReadableStreamDefaultReader<Uint8Array>;
  try {
    reader = stream.getReader();
  } catch (cause) {
    throw new IsotorchError("INPUT_UNREADABLE", `${what} is being read elsewhere`, {
      hint: "hand over a fresh stream",
      cause,
    });
  }
  const cancel = (): void => void reader.cancel(bounds.signal?.reason).catch(() => undefined);
  bounds.signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await readChunks(reader, what, bounds);
  } catch (cause) {
    cancel();
    throwIfAborted(bounds.signal);
    throw cause instanceof IsotorchError ? cause : (outOfMemory(cause) ?? unreadable(what, cause));
  } finally {
    bounds.signal?.removeEventListener("abort", cancel);
  }
}

async function readChunks(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  what: string,
  { maxBytes, signal }: Bounds,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    throwIfAborted(signal);
    if (done) return joined(chunks, total);
    if (!((value as unknown) instanceof Uint8Array)) {
      throw new IsotorchError("INVALID_INPUT", `${what} gave something that is not a Uint8Array`, {
        hint: "a picture stream is a stream of bytes",
      });
    }
    total += value.length;
    throwIfTooLarge(total, maxBytes, what);
    chunks.push(value);
  }
}

function joined(chunks: readonly Uint8Array[], total: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const out = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/** `INPUT_UNREADABLE` with its cause. */
export function unreadable(what: string, cause: unknown): IsotorchError {
  return new IsotorchError("INPUT_UNREADABLE", `${what} could not be read: ${messageOf(cause)}`, {
    hint: "check that it exists and may be read",
    cause,
  });
}
