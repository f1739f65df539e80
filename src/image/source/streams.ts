/** Streams of every kind as the one that is read here: Node's, those of other realms, and whatever is iterated over. */
import { IsotorchError } from "../../base/errors.ts";
import { unreadable } from "./bounded.ts";
import { bytesOf } from "./bytes.ts";

/** A stream of Node: `createReadStream()`, `process.stdin`, a request. */
interface NodeStream extends AsyncIterable<unknown> {
  readonly destroyed?: boolean;
  readonly readableEnded?: boolean;
  readonly readableDidRead?: boolean;
  readonly errored?: Error | null;
  destroy?(): unknown;
  on?(event: "error", listener: () => void): unknown;
}

/**
 * Keeps the failure of a stream of Node until it is read: a picture may wait for its turn, and an `error` that nobody
 * listens to ends the process.
 */
export function keepFailure(input: unknown): void {
  if (typeof input === "object" && input !== null && isIterable(input)) input.on?.("error", () => undefined);
}

/**
 * A stream of bytes from a stream, or from what can be iterated over asynchronously; `undefined` for anything else.
 * Cancelling it ends the source. Nothing is read before it is.
 *
 * @throws IsotorchError `INPUT_UNREADABLE` for one that was read or ended already.
 */
export function streamOf(input: object): ReadableStream<Uint8Array> | undefined {
  if (input instanceof ReadableStream) return input as ReadableStream<Uint8Array>;
  if (isIterable(input)) return iterated(input);
  if (!("getReader" in input) || typeof input.getReader !== "function") return undefined;
  // Of another realm, or a ponyfill.
  const foreign = input as ReadableStream<unknown>;
  if (foreign.locked) throw used();
  const reader = foreign.getReader();
  return pulled(
    () => reader.read(),
    () => reader.cancel(),
  );
}

function iterated(source: NodeStream): ReadableStream<Uint8Array> {
  if (source.errored instanceof Error) throw unreadable("the stream", source.errored);
  if (source.destroyed === true || source.readableEnded === true || source.readableDidRead === true)
    throw used();
  let iterator: AsyncIterator<unknown> | undefined;
  return pulled(
    () => (iterator ??= source[Symbol.asyncIterator]()).next(),
    // An iterator that is being waited for cannot be ended; a stream can.
    () => (source.destroy === undefined ? iterator?.return?.() : source.destroy()),
  );
}

function pulled(
  next: () => Promise<{ readonly done?: boolean | undefined; readonly value?: unknown }>,
  end: () => unknown,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await next();
        if (done === true) return controller.close();
        const bytes = bytesOf(value);
        if (bytes === undefined) throw notBytes(value);
        // Decoders take no memory that is shared or of another realm.
        controller.enqueue(bytes.buffer instanceof ArrayBuffer ? bytes : new Uint8Array(bytes));
      },
      cancel() {
        void Promise.resolve(end()).catch(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

function isIterable(input: object): input is NodeStream {
  return Symbol.asyncIterator in input && typeof input[Symbol.asyncIterator] === "function";
}

function used(): IsotorchError {
  return new IsotorchError("INPUT_UNREADABLE", "the stream was read already, or is being read elsewhere", {
    hint: "hand over a fresh stream",
  });
}

function notBytes(value: unknown): IsotorchError {
  const hint =
    typeof value === "string"
      ? "leave `encoding` and `setEncoding()` away: they make text of the bytes"
      : "a picture stream is a stream of bytes";
  return new IsotorchError("INVALID_INPUT", `the stream gave a ${typeof value}, expected bytes`, { hint });
}
