/**
 * Every way in which isotorch can fail. The set is closed: new failures get a new code, and a code
 * keeps its meaning across versions.
 */
export const ERROR_CODES = [
  // the call itself
  "INVALID_OPTION",
  "INVALID_INPUT",
  "ABORTED",
  "DEADLINE_EXCEEDED",
  "CLOSED",
  "QUEUE_FULL",
  // the picture
  "INPUT_NOT_FOUND",
  "INPUT_UNREADABLE",
  "INPUT_TOO_LARGE",
  "UNSUPPORTED_FORMAT",
  "UNSUPPORTED_MODE",
  "DECODE_FAILED",
  "BAD_TENSOR",
  "POISON_INPUT",
  "NON_FINITE_OUTPUT",
  // the environment and the device
  "ENVIRONMENT_NOT_FOUND",
  "ENVIRONMENT_BROKEN",
  "SETUP_FAILED",
  "DEVICE_UNAVAILABLE",
  // the checkpoint and its labels
  "WEIGHTS_NOT_FOUND",
  "DOWNLOAD_FAILED",
  "CHECKPOINT_CORRUPT",
  "CHECKPOINT_MISMATCH",
  "CHECKPOINT_UNTRUSTED",
  "BAD_LABELS",
  // the worker
  "WORKER_START_FAILED",
  "WORKER_DIED",
  "WORKER_ERROR",
  "OUT_OF_MEMORY",
  "CIRCUIT_OPEN",
  "PROTOCOL_ERROR",
] as const;
export type IsotorchErrorCode = (typeof ERROR_CODES)[number];

/** What an {@link IsotorchError} carries besides its code and sentence. */
export interface IsotorchErrorDetails {
  /** What the caller can do about it, one sentence or one command. */
  readonly hint?: string;
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** The Python traceback, when the failure happened in the worker. */
  readonly traceback?: string;
  /** The worker's last lines on stderr, when it died. */
  readonly stderr?: string;
  /** Milliseconds after which the same call may succeed (`QUEUE_FULL`, `CIRCUIT_OPEN`). */
  readonly retryAfterMs?: number;
}

/**
 * The one error class. Tell errors apart by `code`, never by the text of `message`.
 *
 * @example
 * try { await classify("dog.jpg") } catch (error) {
 *   if (error instanceof IsotorchError && error.code === "DECODE_FAILED") skip();
 *   else throw error;
 * }
 */
export class IsotorchError extends Error {
  override readonly name = "IsotorchError";
  readonly code: IsotorchErrorCode;
  readonly hint: string | undefined;
  readonly traceback: string | undefined;
  readonly stderr: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: IsotorchErrorCode, message: string, details: IsotorchErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.traceback = details.traceback;
    this.stderr = details.stderr;
    this.retryAfterMs = details.retryAfterMs;
  }

  /** Plain data for logs and `--json`: code, message, and hint where there is one. */
  toJSON(): { code: IsotorchErrorCode; message: string; hint?: string } {
    return { code: this.code, message: this.message, ...(this.hint && { hint: this.hint }) };
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Why an aborted call ends: the typed reason that the signal carries, or `ABORTED`. */
export function abortError(signal: AbortSignal): IsotorchError {
  const reason: unknown = signal.reason;
  if (reason instanceof IsotorchError) return reason;
  return new IsotorchError("ABORTED", "The call was aborted.", { cause: reason });
}
