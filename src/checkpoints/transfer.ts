import { shown } from "../base/text/shown.ts";
import { type FileHandle, open, rm, stat, writeFile } from "node:fs/promises";
import { IsotorchError, messageOf } from "../base/errors.ts";
import { fetchByProxy } from "../base/fetch.ts";
import { readJson, removeFile } from "../base/files/files.ts";

/** One attempt to bring the rest of a file. */
export interface Transfer {
  readonly url: string;
  /** The partial file; bytes that it holds already are not fetched again if the server agrees. */
  readonly part: string;
  /** Milliseconds without a byte after which the attempt is given up. */
  readonly stallMs: number;
  /** Bytes of the whole file; `undefined` where it is not known. */
  readonly expected: number | undefined;
  /** Bytes that it has at most, whatever the server says. */
  readonly largest: number;
  /** Whether this process may still write the partial file; asked before each chunk. */
  readonly mayWrite: () => boolean;
  /** Called after each chunk with the bytes so far and, where known, of the whole. */
  readonly onBytes: (loaded: number, total: number | undefined) => void;
  readonly signal: AbortSignal | undefined;
}

/** `complete`; `cut`, worth another attempt; `refused` or `unreachable`, not worth one; `taken` by another process. */
export type TransferOutcome =
  | { readonly outcome: "complete"; readonly resumed: boolean }
  | { readonly outcome: "cut" | "refused" | "unreachable"; readonly reason: string }
  | { readonly outcome: "taken" };

/** The file beside a partial file that tells which version on the server it is a part of. */
export function validatorFile(part: string): string {
  return `${part}.json`;
}

/**
 * Appends to the partial file what the server still has of it, and starts it afresh when the server does not
 * resume or has another version. Rejects with `CHECKPOINT_CORRUPT` for a web page or too many bytes, with the file
 * system's own error, and with the signal's reason.
 */
export async function transfer(task: Transfer): Promise<TransferOutcome> {
  const { url, part, signal } = task;
  const largest = task.expected ?? task.largest;
  const held = await heldPart(part, url, largest);
  const stalled = new AbortController();
  const clock = setTimeout(() => stalled.abort(new Error("no data")), task.stallMs);
  const either = AbortSignal.any([stalled.signal, ...(signal ? [signal] : [])]);
  const explain = (error: unknown): string =>
    stalled.signal.aborted ? `no data for ${task.stallMs / 1000} s` : reasonOf(error);
  let file: FileHandle | undefined;
  try {
    const response = await fetchPart(url, held, either).catch(asError);
    signal?.throwIfAborted();
    if (response instanceof Error) {
      return { outcome: isUnreachable(response) ? "unreachable" : "cut", reason: explain(response) };
    }
    const resumed = held.bytes > 0 && response.status === 206 && startsAt(response) === held.bytes;
    if (!resumed && response.status !== 200) {
      await response.body?.cancel();
      if (response.status === 206 || response.status === 416) await forget(part);
      return { outcome: isPassing(response.status) ? "cut" : "refused", reason: `HTTP ${response.status}` };
    }
    const mediaType = response.headers.get("content-type") ?? "";
    if (/^text\/html\b/i.test(mediaType)) {
      await response.body?.cancel();
      await forget(part);
      throw webPage(url);
    }
    let loaded = resumed ? held.bytes : 0;
    const total = totalOf(response, loaded) ?? task.expected;
    if (!resumed) await rememberValidator(part, url, response);
    file = await open(part, resumed ? "a" : "w");
    task.onBytes(loaded, total);
    const reader = (response.body ?? new Blob([]).stream()).getReader();
    for (;;) {
      const read = await reader.read().catch(asError);
      signal?.throwIfAborted();
      if (read instanceof Error) return { outcome: "cut", reason: explain(read) };
      if (read.done) break;
      clock.refresh();
      loaded += read.value.byteLength;
      if (loaded > Math.min(largest, total ?? largest)) {
        await reader.cancel().catch(() => {});
        await forget(part);
        throw tooLong(url, Math.min(largest, total ?? largest));
      }
      if (!task.mayWrite()) {
        await reader.cancel().catch(() => {});
        return { outcome: "taken" };
      }
      await file.writeFile(read.value);
      task.onBytes(loaded, total);
    }
    await file.sync();
    if (loaded < (total ?? 0)) return { outcome: "cut", reason: `ended after ${loaded} of ${total} bytes` };
    return { outcome: "complete", resumed };
  } finally {
    clearTimeout(clock);
    await file?.close();
  }
}

/** What another attempt would not change is thrown on at once. */
function asError(thrown: unknown): Error {
  if (thrown instanceof IsotorchError) throw thrown;
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** Removes a partial file and what is known of it. */
export async function forget(part: string): Promise<void> {
  await removeFile(part);
  await removeFile(validatorFile(part));
}

interface HeldPart {
  readonly bytes: number;
  readonly validator: string;
}

async function heldPart(part: string, url: string, largest: number): Promise<HeldPart> {
  const none = { bytes: 0, validator: "" };
  const size = (await stat(part).catch(() => undefined))?.size ?? 0;
  if (size === 0 || size > largest) return none;
  const known = await readJson(validatorFile(part));
  // A part of which nothing is known cannot be continued safely.
  if (known["url"] !== url || typeof known["validator"] !== "string") return none;
  return { bytes: size, validator: known["validator"] };
}

async function fetchPart(url: string, held: HeldPart, signal: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (held.bytes > 0) Object.assign(headers, { range: `bytes=${held.bytes}-`, "if-range": held.validator });
  return fetchByProxy(url, { headers, signal });
}

async function rememberValidator(part: string, url: string, response: Response): Promise<void> {
  const etag = response.headers.get("etag");
  // RFC 9110 allows no weak tag in If-Range.
  const validator = etag && !etag.startsWith("W/") ? etag : response.headers.get("last-modified");
  if (validator) await writeFile(validatorFile(part), JSON.stringify({ url, validator }));
  else await rm(validatorFile(part), { force: true });
}

function startsAt(response: Response): number {
  return Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? Number.NaN);
}

function totalOf(response: Response, from: number): number | undefined {
  const whole = /\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1];
  if (whole !== undefined) return Number(whole);
  const length = response.headers.get("content-length");
  const encoded = response.headers.has("content-encoding");
  return length === null || encoded ? undefined : from + Number(length);
}

/** Busy servers and parts that no longer fit; asking again may help. */
function isPassing(status: number): boolean {
  return status >= 500 || [206, 408, 416, 425, 429].includes(status);
}

const UNREACHABLE = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

function isUnreachable(error: Error): boolean {
  const chain = [
    error,
    error.cause,
    error.cause instanceof AggregateError ? error.cause.errors[0] : undefined,
  ];
  const codes = chain.map((link) => (link instanceof Error && "code" in link ? String(link.code) : ""));
  return codes.some((code) => UNREACHABLE.has(code) || /CERT|ERR_TLS|SSL/.test(code));
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? `${String(cause.code)} ` : "";
  const by = messageOf(error).startsWith("by way of") ? `, ${messageOf(error)}` : "";
  return cause === undefined ? messageOf(error) : `${code}${messageOf(cause)}${by}`.trim();
}

function webPage(url: string): IsotorchError {
  return new IsotorchError(
    "CHECKPOINT_CORRUPT",
    `${shown(url)} answered with a web page instead of a checkpoint.`,
    {
      hint: `A proxy or a login page may stand in between; open ${url} in a browser, or name a mirror with ISOTORCH_WEIGHTS_URL`,
    },
  );
}

function tooLong(url: string, expected: number): IsotorchError {
  return new IsotorchError(
    "CHECKPOINT_CORRUPT",
    `${shown(url)} sent more than the ${expected} bytes that the checkpoint has at most.`,
    {
      hint: `Check what ISOTORCH_WEIGHTS_URL names, or download ${url} by hand`,
    },
  );
}
