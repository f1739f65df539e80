/** What can go wrong over HTTP, and the one table from isotorch's codes to status codes. */
import { told } from "../base/text/shown.ts";
import { IsotorchError } from "../base/errors.ts";
import type { IsotorchErrorCode } from "../base/errors.ts";

/** The HTTP status of every code that a call can end with. */
export const STATUS: Readonly<Record<IsotorchErrorCode, number>> = {
  INVALID_OPTION: 400,
  INVALID_INPUT: 400,
  BAD_TENSOR: 400,
  INPUT_NOT_FOUND: 400,
  INPUT_UNREADABLE: 400,
  INPUT_TOO_LARGE: 413,
  BAD_LIST: 400,
  UNSUPPORTED_FORMAT: 415,
  UNSUPPORTED_MODE: 422,
  DECODE_FAILED: 422,
  POISON_INPUT: 422,
  CONTEXT_LENGTH: 400,
  ABORTED: 499,
  QUEUE_FULL: 503,
  CIRCUIT_OPEN: 503,
  CLOSED: 503,
  WORKER_DIED: 503,
  OUT_OF_MEMORY: 503,
  DEADLINE_EXCEEDED: 504,
  WORKER_ERROR: 500,
  PROTOCOL_ERROR: 500,
  OUTPUT_FAILED: 500,
  NON_FINITE_OUTPUT: 500,
  ENVIRONMENT_NOT_FOUND: 500,
  ENVIRONMENT_BROKEN: 500,
  SETUP_FAILED: 500,
  DEVICE_UNAVAILABLE: 500,
  WEIGHTS_NOT_FOUND: 500,
  DOWNLOAD_FAILED: 500,
  CHECKPOINT_CORRUPT: 500,
  CHECKPOINT_MISMATCH: 500,
  CHECKPOINT_UNTRUSTED: 500,
  BAD_LABELS: 500,
  BAD_VOCABULARY: 500,
  NOT_REPRODUCIBLE: 500,
  WORKER_START_FAILED: 503,
  // where the classifier of a server is itself a remote one
  REMOTE_UNREACHABLE: 503,
  REMOTE_REFUSED: 502,
  REMOTE_MISMATCH: 502,
};

/** Failures that belong to HTTP alone. */
export const HTTP_CODES = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  UNSUPPORTED_MEDIA_TYPE: 415,
  WRONG_HOST: 421,
  INTERNAL: 500,
  NOT_IMPLEMENTED: 501,
} as const;
export type HttpCode = keyof typeof HTTP_CODES;

/** A request that is refused before any classifier hears of it. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";
  readonly code: HttpCode;
  /** What the client can do about it. */
  readonly hint: string;

  constructor(code: HttpCode, message: string, hint: string, options?: ErrorOptions) {
    super(told(message), options);
    this.code = code;
    this.hint = told(hint);
  }
}

/** A failure as it is told to a client. */
export interface Told {
  readonly status: number;
  readonly code: IsotorchErrorCode | HttpCode;
  readonly message: string;
  readonly hint: string;
  /** Seconds for `Retry-After`. */
  readonly retryAfter: number | undefined;
}

/** What a client hears of a failure: nothing of the inside of this program. */
export function tell(thrown: unknown): Told {
  if (thrown instanceof HttpProblem) {
    const { code, message, hint } = thrown;
    return { status: HTTP_CODES[code], code, message, hint, retryAfter: undefined };
  }
  if (thrown instanceof IsotorchError) {
    const { code, message, hint, retryAfterMs } = thrown;
    const status = STATUS[code];
    const retryAfter = status === 503 ? Math.max(1, Math.ceil((retryAfterMs ?? 1_000) / 1_000)) : undefined;
    return { status, code, message, hint, retryAfter };
  }
  // Whatever else was thrown is a mistake of ours and stays in the log.
  return tell(new HttpProblem("INTERNAL", "The server made a mistake.", "Its log has the details."));
}

export function mediaTypeProblem(): HttpProblem {
  return new HttpProblem(
    "UNSUPPORTED_MEDIA_TYPE",
    "The body has a content type that is not taken here.",
    "Send a picture as image/* or application/octet-stream, or with the token as a form; an inference request as application/json or application/octet-stream.",
  );
}
