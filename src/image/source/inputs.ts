/**
 * Inputs as other libraries and other realms have them (a `vm` context, a frame, a test runner), as those that are loaded
 * here. Nothing is read, and nothing is guessed: what is not known is handed back as it is.
 */
import { types } from "node:util";
import { excerpt } from "../../base/text/shown.ts";
import { IsotorchError } from "../../base/errors.ts";
import { bytesOf } from "./bytes.ts";
import { streamOf } from "./streams.ts";

/** Bytes of a picture, in any view of memory that has bytes. */
export type Bytes = Uint8Array | Uint8ClampedArray | DataView | ArrayBuffer | SharedArrayBuffer;

/** What browsers call `ImageData`: RGBA, whose alpha is dropped as Pillow's `convert("RGB")` drops it. */
export interface ImageDataLike {
  /** `height * width * 4` bytes, rows from the top. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** What `fetch` answers, or a server is asked: its body is the bytes of a picture file. */
export interface BodyLike {
  readonly body: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | null;
  readonly bodyUsed: boolean;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A file of an upload as multer has it, in memory or on the disk; formidable calls its path `filepath`. */
export type UploadedFile = { readonly mimetype: string | null } & (
  | { readonly buffer: Uint8Array }
  | { readonly path: string }
  | { readonly filepath: string }
);

type Fields = Readonly<Record<string, unknown>>;

/**
 * @throws IsotorchError `INVALID_INPUT` for what looks like a picture and is none that can be loaded, with the way out;
 * `INPUT_UNREADABLE` for a stream or a body that was read already, and for an answer that is no success.
 */
export function knownInput(input: unknown): unknown {
  if (typeof input !== "object" || input === null) return input;
  const bytes = bytesOf(input);
  if (bytes !== undefined) return bytes;
  if (input instanceof URL || input instanceof Blob) return input;
  const fields = input as Fields;
  if (isOfClass(input, "URL") && typeof fields["href"] === "string") return new URL(fields["href"]);
  if ("shape" in input || "dims" in input) return tensorOf(fields);
  if ("data" in input && ("info" in input || "width" in input)) return pixelsOf(fields);
  if ("bodyUsed" in input && typeof fields["arrayBuffer"] === "function") return bodyOf(fields);
  if (isUpload(fields)) return uploadOf(fields);
  // A pipeline of sharp is a stream too, of bytes that it would encode once more: other pixels.
  if (typeof fields["metadata"] === "function" && typeof fields["toBuffer"] === "function") {
    throw invalid(
      "a pipeline of sharp",
      "give it the file itself, or await sharp(…).raw().toBuffer({ resolveWithObject: true })",
    );
  }
  const stream = streamOf(input);
  if (stream !== undefined) return stream;
  // Blobs of other realms and of ponyfills.
  if (typeof fields["stream"] === "function" && typeof fields["size"] === "number")
    return knownInput(fields["stream"].call(input));
  return refuseKnown(fields);
}

/** `{ data, dims }` is what ONNX Runtime calls a tensor. */
function tensorOf({ data, shape, dims }: Fields): object {
  return {
    data: types.isFloat32Array(data) ? ofThisRealm(data) : data,
    shape: shape ?? (types.isTypedArray(dims) || Array.isArray(dims) ? Array.from(dims, Number) : dims),
  };
}

function ofThisRealm(values: Float32Array): Float32Array {
  if (values instanceof Float32Array) return values;
  const { buffer, byteOffset, length }: Float32Array = values;
  return new Float32Array(buffer, byteOffset, length);
}

/** `{ data, width, height, channels }`; `{ data, info }` as sharp gives it; `ImageData`, which does not say its channels. */
function pixelsOf({ data, info, ...own }: Fields): object {
  const { width, height, channels } = (typeof info === "object" && info !== null ? info : own) as Fields;
  const bytes = types.isUint8Array(data) || types.isUint8ClampedArray(data) ? bytesOf(data) : undefined;
  const isRgba =
    channels === undefined && bytes !== undefined && bytes.length === 4 * Number(width) * Number(height);
  return { data: bytes ?? data, width, height, channels: isRgba ? 4 : channels };
}

function bodyOf({ body, bodyUsed, ok, status, statusText }: Fields): unknown {
  if (ok === false) {
    const said = `${String(status)} ${typeof statusText === "string" ? statusText : ""}`.trim();
    throw new IsotorchError("INPUT_UNREADABLE", `the response is no picture but ${excerpt(said)}`, {
      hint: "look at `response.ok` before you hand it over",
    });
  }
  if (bodyUsed === true) {
    throw new IsotorchError("INPUT_UNREADABLE", "the body of the response was read already", {
      hint: "hand over `response.clone()`, or the bytes that you read",
    });
  }
  return body === null || body === undefined ? new Uint8Array() : knownInput(body);
}

/** What multer, formidable and Fastify's multipart call a file. */
function isUpload(fields: Fields): boolean {
  return typeof fields["mimetype"] === "string" || fields["mimetype"] === null;
}

function uploadOf(fields: Fields): unknown {
  const { buffer, path, filepath, file } = fields;
  const bytes = bytesOf(buffer);
  if (bytes !== undefined) return bytes;
  const place = path ?? filepath;
  if (typeof place === "string" && place !== "") return place;
  const stream = typeof file === "object" && file !== null ? streamOf(file) : undefined;
  if (stream !== undefined) return stream;
  throw invalid("an uploaded file without a buffer or a path", "give its bytes, or where it was stored");
}

function refuseKnown(fields: Fields): Fields {
  const { type, data } = fields;
  if (type === "Buffer" && Array.isArray(data))
    throw invalid("a Buffer that went through JSON", "give Buffer.from(it.data)");
  if (typeof fields["createReadStream"] === "function")
    throw invalid("an open file", "give await handle.readFile(), or handle.createReadStream()");
  return fields;
}

function isOfClass(input: object, name: string): boolean {
  return Object.prototype.toString.call(input) === `[object ${name}]`;
}

function invalid(what: string, hint: string): IsotorchError {
  return new IsotorchError("INVALID_INPUT", `expected a picture, received ${what}`, { hint });
}
