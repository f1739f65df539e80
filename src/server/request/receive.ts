/** A body as it comes in: counted, inflated where it is compressed, never beyond its limit. */
import type { Readable } from "node:stream";
import { createGunzip, createInflate } from "node:zlib";
import { IsotorchError } from "../../base/errors.ts";
import type { HttpRequest } from "../http/request.ts";
import { HttpProblem, mediaTypeProblem } from "../problem.ts";
import type { Room } from "./admission.ts";
import { FORM } from "./form.ts";

/** Whatever else a page may send without asking first is not among them. */
const TYPES = new Set(["application/octet-stream", "application/json", FORM]);

/** What one address takes. */
export interface Intake {
  readonly room: Room;
  /** Bytes of the body at most, inflated. */
  readonly limit: number;
  /** Bytes that the room has for it already. */
  readonly reserved: number;
  readonly tooLarge: () => Error;
}

const intakes = new WeakMap<HttpRequest, Intake>();

/** Says that this request's body is taken. */
export function take(request: HttpRequest, intake: Intake): void {
  intakes.set(request, intake);
}

/** Keeps what the request takes up until the work has ended, also where its client has gone. */
export function holdRoom(request: HttpRequest, work: Promise<unknown>): void {
  intakes.get(request)?.room.until(work);
}

/** @throws HttpProblem `UNSUPPORTED_MEDIA_TYPE` for an encoding that is not inflated here. */
export function encodingOf(request: HttpRequest): "gzip" | "deflate" | undefined {
  const named = (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (named === "identity" || named === "") return undefined;
  if (named === "gzip" || named === "x-gzip") return "gzip";
  if (named === "deflate") return "deflate";
  throw new HttpProblem(
    "UNSUPPORTED_MEDIA_TYPE",
    "The body has a content encoding that is not taken here.",
    "Send it as it is, or with gzip or deflate.",
  );
}

/**
 * The whole body; undefined where none was sent.
 *
 * @throws HttpProblem `UNSUPPORTED_MEDIA_TYPE` for a type that is not taken; IsotorchError `INPUT_TOO_LARGE` while it comes, `QUEUE_FULL` where the bodies together have no room for it;
 * HttpProblem `BAD_REQUEST` for compressed data that is none.
 */
export async function bodyOf(request: HttpRequest): Promise<Buffer | undefined> {
  const { incoming: payload, headers } = request;
  const { "content-type": type, "content-length": length = "0", "transfer-encoding": coding } = headers;
  if (type === undefined && coding === undefined && length === "0") return undefined;
  if (!isTaken(type)) throw mediaTypeProblem();
  const intake = intakes.get(request);
  if (intake === undefined) throw new Error("nobody made room for the body");
  const encoding = encodingOf(request);
  if (encoding === undefined) return collect(payload, payload, intake, declaredOf(request));
  const inflater = encoding === "gzip" ? createGunzip() : createInflate();
  payload.pipe(inflater);
  payload.once("error", (error) => inflater.destroy(error));
  payload.once("close", () => {
    if (!payload.readableEnded) inflater.destroy(gone());
  });
  try {
    return await collect(inflater, payload, intake, undefined);
  } finally {
    payload.unpipe(inflater);
    inflater.destroy();
  }
}

function isTaken(type: string | undefined): boolean {
  const name = type?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return name.startsWith("image/") || TYPES.has(name);
}

/** The length that the body is said to have; Node's parser sees to it that it has no other. */
export function declaredOf(request: HttpRequest): number | undefined {
  const { "content-length": length, "content-encoding": encoding } = request.headers;
  return length === undefined || (encoding !== undefined && encoding !== "identity")
    ? undefined
    : Number(length);
}

function collect(
  source: Readable,
  payload: Readable,
  { room, limit, reserved, tooLarge }: Intake,
  declared: number | undefined,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // Memory that nothing was written to costs nothing yet.
    const whole = declared === undefined ? undefined : Buffer.allocUnsafe(declared);
    const chunks: Buffer[] = [];
    let length = 0;
    let counted = reserved;
    const fail = (error: unknown): void => {
      source.off("data", onData);
      payload.pause();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > limit) return fail(tooLarge());
      try {
        if (length > counted) {
          room.grow(length - counted);
          counted = length;
        }
      } catch (error) {
        return fail(error);
      }
      if (whole === undefined) chunks.push(chunk);
      else chunk.copy(whole, length - chunk.length);
    };
    source.on("data", onData);
    source.once("end", () => {
      source.off("data", onData); // the request lives longer than its body
      resolve(whole?.subarray(0, length) ?? Buffer.concat(chunks));
    });
    source.once("error", (error: NodeJS.ErrnoException) =>
      fail(error.code?.startsWith("Z_") === true ? notCompressed(error) : payload.destroyed ? gone() : error),
    );
    source.once("close", () => reject(gone())); // nothing, where it has ended
  });
}

function gone(): IsotorchError {
  return new IsotorchError("ABORTED", "The client went away.");
}

function notCompressed(cause: Error): HttpProblem {
  return new HttpProblem(
    "BAD_REQUEST",
    "The body is not what its content encoding says.",
    "Compress it as a whole with gzip, or as zlib does for deflate.",
    { cause },
  );
}
