/** What went wrong with a remote server, as typed errors, and which of it another try may mend. */
import { excerpt, shown } from "../base/text/shown.ts";
import { ERROR_CODES, IsotorchError } from "../base/errors.ts";
import type { IsotorchErrorCode } from "../base/errors.ts";
import { parseRecord } from "../base/files/json.ts";
import { ConnectionFailure } from "./connection-failure.ts";
import type { Reply } from "./http.ts";

/** One try that failed. */
export interface Failure {
  readonly error: IsotorchError;
  /** Whether another try may succeed. A classification is a pure function: computing it twice harms nobody. */
  readonly isRetryable: boolean;
  /** What it says of the server: it is not there, it failed, it asks for a pause, or nothing. */
  readonly verdict: "gone" | "failed" | "busy" | "stale" | "sound";
  /** How long the server wants to be left alone, milliseconds. */
  readonly pauseMs: number;
}

/** What HTTP says where the server gives no code of ours; documented in docs/scale.md. */
const CODES: Readonly<Record<number, IsotorchErrorCode>> = {
  408: "DEADLINE_EXCEEDED",
  413: "INPUT_TOO_LARGE",
  429: "QUEUE_FULL",
  499: "ABORTED",
  500: "WORKER_ERROR",
  502: "REMOTE_UNREACHABLE",
  503: "QUEUE_FULL",
  504: "DEADLINE_EXCEEDED",
};
const RETRYABLE = new Set([429, 502, 503, 504]);

/** An answer that is no success. */
export function failureOfReply(reply: Reply, url: string, requestId: string): Failure {
  const { status, headers } = reply;
  const told = toldIn(reply);
  const ours = ERROR_CODES.find((known) => known === told.code);
  // A 500 without the protocol's sentence comes from what stands before the network, such as a proxy of Ray's.
  const isAround = status === 500 && told.message === "";
  const code = ours ?? (isAround ? "REMOTE_UNREACHABLE" : CODES[status]) ?? "REMOTE_REFUSED";
  const pauseMs = pauseOf(headers["retry-after"]);
  const error = new IsotorchError(code, ours === undefined ? sentenceOf(status, told, url) : told.message, {
    ...(ours !== undefined && told.hint !== undefined && { hint: told.hint }),
    ...(RETRYABLE.has(status) && { retryAfterMs: pauseMs }),
    requestId,
  });
  const isRetryable = isAround || (RETRYABLE.has(status) && code !== "DEADLINE_EXCEEDED");
  const isBusy = status === 429 || (status === 503 && code !== "CLOSED");
  return { error, isRetryable, verdict: isBusy ? "busy" : isRetryable ? "failed" : "sound", pauseMs };
}

/** No answer at all, or one that cannot be read. */
export function failureOfThrown(thrown: unknown, url: string, requestId: string): Failure {
  if (thrown instanceof ConnectionFailure) {
    const error = new IsotorchError(
      "REMOTE_UNREACHABLE",
      `${shown(url)} gave no answer: ${thrown.message}.`,
      {
        cause: thrown,
        requestId,
      },
    );
    const verdict = thrown.isRefused ? "gone" : thrown.isStale ? "stale" : "failed";
    return { error, isRetryable: true, verdict, pauseMs: 0 };
  }
  if (!(thrown instanceof IsotorchError)) throw thrown;
  const isMalformed = thrown.code === "PROTOCOL_ERROR";
  return { error: thrown, isRetryable: isMalformed, verdict: isMalformed ? "failed" : "sound", pauseMs: 0 };
}

/** For an answer that does not follow the protocol. */
export function malformed(what: string, cause?: unknown): IsotorchError {
  return new IsotorchError("PROTOCOL_ERROR", `The server's answer cannot be read: ${what}.`, {
    hint: "Check that the address is that of an Open Inference Protocol v2 server, and no proxy changes its answers.",
    cause,
  });
}

interface Told {
  readonly code: unknown;
  readonly message: string;
  readonly hint: string | undefined;
}

/** `{"error": sentence}` of the protocol, with a code and a hint where the server is ours. */
function toldIn({ body }: Reply): Told {
  const { error, code, hint } = parseRecord(body.toString());
  const text = typeof error === "string" ? error : "";
  if (typeof hint !== "string") return { code, message: text, hint: undefined };
  // Ours sends the hint once more behind the sentence, for clients that read nothing else.
  const message = text.endsWith(hint) ? text.slice(0, -hint.length).trim() : text;
  return { code, message, hint };
}

function sentenceOf(status: number, { message }: Told, url: string): string {
  return `${url} answered ${status}${message === "" ? "" : `: ${excerpt(message)}`}`;
}

/** `Retry-After` in seconds or as a date, as milliseconds. */
function pauseOf(header: string | undefined): number {
  if (header === undefined) return 0;
  if (/^\d{1,6}$/.test(header)) return Number(header) * 1_000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? 0 : Math.max(0, at - Date.now());
}
