import { excerpt, shown } from "../../base/text/shown.ts";
import { fileURLToPath } from "node:url";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import {
  type Bounds,
  readFileBounded,
  readStreamBounded,
  throwIfAborted,
  throwIfTooLarge,
} from "./bounded.ts";
import { fetchBounded } from "./fetch.ts";
import type { Pixels } from "../resample/geometry.ts";
import { knownInput } from "./inputs.ts";
import type { BodyLike, Bytes, ImageDataLike, UploadedFile } from "./inputs.ts";
import { DEFAULT_LIMITS, type PartialLimits } from "./limits.ts";
import { checkPixels, checkTensor } from "./raw.ts";
import type { RawPixels } from "./raw.ts";
import type { Tensor } from "../tensor.ts";

export type { Pixels } from "../resample/geometry.ts";
export type { Limits } from "./limits.ts";
export type { RawPixels } from "./raw.ts";
export type { BodyLike, Bytes, ImageDataLike, UploadedFile } from "./inputs.ts";

/**
 * What can be classified:
 * - a path; an `http:`, `https:`, `file:` or `data:` URL (base64 or base64url) as a string or `URL`
 * - the bytes of a picture file: a `Buffer`, `Uint8Array`, `Uint8ClampedArray`, `DataView`, `ArrayBuffer` or
 *   `SharedArrayBuffer`, also of another realm; a `Blob` or `File`; the `Response` of `fetch` or a `Request`; a web stream; a
 *   stream of Node (`createReadStream()`, `process.stdin`) or another async iterable of bytes; an uploaded file of multer
 * - pixels: {@link RawPixels}, `ImageData`, or `{ data, info }` of sharp
 * - a tensor that is preprocessed already: `{ data, shape }`, or `{ data, dims }` of ONNX Runtime
 */
export type ImageInput =
  | string
  | URL
  | Bytes
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | BodyLike
  | UploadedFile
  | RawPixels
  | ImageDataLike
  | { readonly data: RawPixels["data"]; readonly info: Omit<RawPixels, "data"> }
  | Tensor
  | { readonly data: Float32Array; readonly dims: readonly number[] };

/** A loaded input: the file's bytes, checked RGB pixels, or a checked tensor `[1, 3, height, width]`. */
export type LoadedImage =
  | { readonly kind: "encoded"; readonly bytes: Uint8Array }
  | { readonly kind: "pixels"; readonly pixels: Pixels }
  | { readonly kind: "tensor"; readonly tensor: Tensor };

/** An input at hand, or the path of a file that is to be read where it is decoded. */
export type Located = LoadedImage | { readonly kind: "file"; readonly path: string };

export interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
  /** @default `DEFAULT_LIMITS` */
  readonly limits?: PartialLimits | undefined;
  /** Where relative paths start. @default the folder of this process */
  readonly folder?: string | undefined;
}

/**
 * Loads an input without decoding it.
 *
 * @throws IsotorchError `INVALID_INPUT`, `INPUT_NOT_FOUND`, `INPUT_UNREADABLE`, `INPUT_TOO_LARGE`, `UNSUPPORTED_FORMAT` (nothing in
 * it), `BAD_TENSOR`, `ABORTED`.
 */
export async function loadImage(input: ImageInput, options: LoadOptions = {}): Promise<LoadedImage> {
  const located = await locateImage(input, options);
  return located.kind === "file" ? { kind: "encoded", bytes: readImageFile(located.path, options) } : located;
}

/** Paths of what a process has open, such as its standard input. */
const OPEN_HERE = /^\/(?:dev\/(?:stdin|fd\/)|proc\/(?:self|thread-self)\/)/;

/** {@link loadImage}, but a file is only named. */
export async function locateImage(given: ImageInput, options: LoadOptions = {}): Promise<Located> {
  const bounds = boundsOf(options);
  throwIfAborted(bounds.signal);
  const input = knownInput(given);
  if (isObject(input) && "shape" in input) return { kind: "tensor", tensor: checkTensor(input) };
  if (isObject(input) && ("width" in input || "channels" in input)) {
    return { kind: "pixels", pixels: checkPixels(input, options.limits) };
  }
  const path = pathOf(input);
  if (path !== undefined) {
    // What this process has open, another one has not.
    return OPEN_HERE.test(path)
      ? { kind: "encoded", bytes: readImageFile(path, options) }
      : { kind: "file", path };
  }
  return { kind: "encoded", bytes: notEmpty(await loadBytes(input, bounds)) };
}

/**
 * The bytes of a picture file. Blocks while it reads.
 *
 * @throws IsotorchError `INPUT_NOT_FOUND`, `INPUT_UNREADABLE`, `INPUT_TOO_LARGE`, `UNSUPPORTED_FORMAT` (nothing in it), `ABORTED`.
 */
export function readImageFile(path: string, options: LoadOptions = {}): Uint8Array {
  return notEmpty(readFileBounded(path, boundsOf(options)));
}

function boundsOf({ limits, signal, folder }: LoadOptions): Bounds {
  return { maxBytes: limits?.bytes ?? DEFAULT_LIMITS.bytes, signal, folder };
}

function notEmpty(bytes: Uint8Array): Uint8Array {
  if (bytes.length > 0) return bytes;
  throw new IsotorchError("UNSUPPORTED_FORMAT", "not a picture that can be read: the input is empty", {
    hint: "check how it was written or sent: it has no bytes",
  });
}

function isObject(input: unknown): input is object {
  return typeof input === "object" && input !== null;
}

/** The input that loads as this did: a stream can be read only once. */
export function asInput(image: LoadedImage): ImageInput {
  switch (image.kind) {
    case "encoded":
      return image.bytes;
    case "pixels":
      return { ...image.pixels, channels: 3 };
    case "tensor":
      return image.tensor;
  }
}

/** The path, where the input is one or a `file:` URL. */
function pathOf(input: unknown): string | undefined {
  if (input instanceof URL) return input.protocol === "file:" ? localPath(input) : undefined;
  if (typeof input !== "string" || input === "") return undefined;
  if (!/^(https?|file|data):/i.test(input)) return input;
  return URL.canParse(input) ? pathOf(new URL(input)) : undefined;
}

async function loadBytes(input: unknown, bounds: Bounds): Promise<Uint8Array> {
  if (typeof input === "string") return loadUrl(addressOf(input), bounds);
  if (input instanceof URL) return loadUrl(input, bounds);
  if (input instanceof Uint8Array) return whole(input, bounds);
  if (input instanceof Blob) {
    throwIfTooLarge(input.size, bounds.maxBytes, "the blob");
    return readStreamBounded(input.stream(), "the blob", bounds);
  }
  if (input instanceof ReadableStream) {
    return readStreamBounded(input as ReadableStream<Uint8Array>, "the stream", bounds);
  }
  throw new IsotorchError("INVALID_INPUT", `expected a picture, received ${describe(input)}`, {
    hint: "give a path, a URL, bytes, a Blob, a stream, { data, width, height, channels } or { data, shape }",
  });
}

function whole(bytes: Uint8Array, { maxBytes }: Bounds): Uint8Array {
  throwIfTooLarge(bytes.length, maxBytes, "the picture");
  // Shared memory can change between the check and the decoder, and decoders do not take it.
  return bytes.buffer instanceof ArrayBuffer ? bytes : new Uint8Array(bytes);
}

function addressOf(input: string): URL {
  if (input === "") {
    throw new IsotorchError("INVALID_INPUT", "the path is empty", {
      hint: "give the path or URL of a picture",
    });
  }
  if (URL.canParse(input)) return new URL(input);
  throw new IsotorchError("INVALID_INPUT", `not a valid URL: ${shown(input)}`, {
    hint: "check the address",
  });
}

function loadUrl(url: URL, bounds: Bounds): Promise<Uint8Array> {
  switch (url.protocol) {
    case "http:":
    case "https:":
    case "data:":
      return fetchBounded(url, bounds);
    default:
      throw new IsotorchError("INVALID_INPUT", `URLs with ${excerpt(url.protocol)} are not loaded`, {
        hint: "use http:, https:, file: or data:",
      });
  }
}

function localPath(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new IsotorchError("INVALID_INPUT", `not a local file: ${shown(url.href)}: ${messageOf(cause)}`, {
      hint: "use file:///path",
      cause,
    });
  }
}

function describe(input: unknown): string {
  if (input === null || input === undefined) return String(input);
  if (typeof input !== "object") return `a ${typeof input}`;
  if (Array.isArray(input)) return "an array";
  return `an object of type ${excerpt(input.constructor?.name ?? "unknown")}`;
}
