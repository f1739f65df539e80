import type { IsotorchErrorCode } from "./codes.ts";
import { excerpt, told } from "./text/shown.ts";

export { ERROR_CODES } from "./codes.ts";
export type { IsotorchErrorCode } from "./codes.ts";

/** What usually helps, where an error has no better hint of its own. */
const HINTS: Readonly<Record<IsotorchErrorCode, string>> = {
  INVALID_OPTION: "The options and their defaults are documented in the types, and by `--help`.",
  INVALID_INPUT: "Give a path, a URL, bytes, a Blob, a stream, raw pixels or a tensor.",
  ABORTED: "Call again without aborting.",
  DEADLINE_EXCEEDED: "Raise `timeoutMs`, or send fewer pictures at a time.",
  CLOSED: "Create another classifier.",
  QUEUE_FULL: "Send fewer calls at a time, or wait for `retryAfterMs` and call again.",
  OUTPUT_FAILED: "Make room on the disk, or write to another one.",
  INPUT_NOT_FOUND: "Check the path.",
  INPUT_UNREADABLE: "Check that it is a regular file, or an address that answers, and may be read.",
  INPUT_TOO_LARGE: "Raise the limit, or make the picture smaller first.",
  BAD_LIST: "Save the list as UTF-8 with one path or URL per line.",
  UNSUPPORTED_FORMAT: "Convert it to JPEG, PNG or WebP.",
  UNSUPPORTED_MODE: 'Use `mode: "convert-rgb"`, or convert the picture to RGB.',
  DECODE_FAILED: "The file is damaged or cut short: fetch it again.",
  BAD_TENSOR: "Give float32 [1,3,224,224] without NaN or infinities, as `preprocess()` makes it.",
  POISON_INPUT: "This very picture ended the worker each time; do not send it again.",
  NON_FINITE_OUTPUT: "Check the checkpoint and the picture; the network answered NaN or infinity.",
  CONTEXT_LENGTH: "Shorten the prompt, or lower `maxTokens`.",
  BAD_VOCABULARY: "Give the vocab.json and merges.txt, or the tokenizer.json, that belong to the checkpoint.",
  NOT_REPRODUCIBLE: "Send the call again: its answer is made from the start.",
  ENVIRONMENT_NOT_FOUND: "Run `npx isotorch setup`.",
  ENVIRONMENT_BROKEN: "Run `npx isotorch doctor` to see what is wrong.",
  SETUP_FAILED: "Run `npx isotorch setup --dry-run` to see the steps, and try them by hand.",
  DEVICE_UNAVAILABLE: 'Use `device: "cpu"`, or run `npx isotorch doctor`.',
  WEIGHTS_NOT_FOUND: "Run `npx isotorch models` to see which checkpoints are here.",
  DOWNLOAD_FAILED:
    "Check the network, name a mirror with ISOTORCH_WEIGHTS_URL, or put the file in its place by hand; `npx isotorch models` shows where.",
  CHECKPOINT_CORRUPT: "Remove the file and fetch it again.",
  CHECKPOINT_MISMATCH:
    "Give the `state_dict` of one of torchvision's classifiers; `npx isotorch models` lists them.",
  CHECKPOINT_UNTRUSTED: "Give its `sha256`; only older versions ask for it.",
  BAD_LABELS: "Give one label per line, in the order of the classes.",
  WORKER_START_FAILED: "Run `npx isotorch doctor` to see what is wrong.",
  WORKER_DIED: "`error.stderr` has its last lines, `error.traceback` its Python traceback.",
  WORKER_ERROR: "`error.traceback` has the Python traceback.",
  OUT_OF_MEMORY: "Free memory on the device, or use a smaller batch.",
  CIRCUIT_OPEN: "The worker crashed too often; run `npx isotorch doctor`.",
  PROTOCOL_ERROR: "Install the npm package again: it carries the worker that belongs to it.",
  REMOTE_UNREACHABLE: "Check the address in `remote`, and that the server runs.",
  REMOTE_REFUSED: "Check the token, the model's name and the address in `remote`.",
  REMOTE_MISMATCH: "Serve torchvision's resnet101 as docs/scale.md describes, the same one at every address.",
};

/** What an {@link IsotorchError} carries besides its code and sentence. */
export interface IsotorchErrorDetails {
  /** What the caller can do about it, one sentence or one command. @default what usually helps with this code */
  readonly hint?: string;
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** The Python traceback, when the failure happened in the worker. */
  readonly traceback?: string;
  /** The worker's last lines on stderr, when it died. */
  readonly stderr?: string;
  /** Milliseconds after which the same call may succeed (`QUEUE_FULL`, `CIRCUIT_OPEN`). */
  readonly retryAfterMs?: number;
  /** Which picture of a list failed, from 0. */
  readonly index?: number;
  /** The id of the request that a remote server answered, or did not: its log has it too. */
  readonly requestId?: string;
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
  /** What to do about it. */
  readonly hint: string;
  readonly traceback: string | undefined;
  readonly stderr: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly requestId: string | undefined;
  /** Which picture failed, from 0, where a list was given. */
  readonly index: number | undefined;

  constructor(code: IsotorchErrorCode, message: string, details: IsotorchErrorDetails = {}) {
    super(sentence(told(message)), details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = capital(told(details.hint ?? HINTS[code]));
    this.traceback = details.traceback;
    this.stderr = details.stderr;
    this.retryAfterMs = details.retryAfterMs;
    this.requestId = details.requestId;
    this.index = details.index;
  }

  /** Plain data for logs and `--json`. */
  toJSON(): { code: IsotorchErrorCode; message: string; hint: string } {
    return { code: this.code, message: this.message, hint: this.hint };
  }
}

/** What begins with the name of a program is a command, which is typed as it stands. */
const COMMAND = /^(?:isotorch|npx|npm|node|conda|mamba|micromamba|pip|python3?|sudo|apt-get|curl|rm) /;

/** Hints begin alike, wherever they come from. */
function capital(hint: string): string {
  const isWord = /^[a-z]+[ ,:]/.test(hint) && !COMMAND.test(hint);
  return isWord ? hint.charAt(0).toUpperCase() + hint.slice(1) : hint;
}

/** One shape for all messages, wherever they come from: a capital first and a full stop last. */
function sentence(message: string): string {
  const text = message.trim();
  const first = /^[a-z]+[ ,]/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}

/** Characters of a path that a message does not repeat. */
const LONG_PATH = 60;

/** The message of anything that was thrown, as part of another one. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof IsotorchError) return thrown.message;
  return excerpt(thrown instanceof Error ? withoutPath(thrown) : String(thrown));
}

/** Node's errors of files end with the path, which the message around has already. */
function withoutPath(error: Error): string {
  const path = "path" in error && typeof error.path === "string" ? error.path : "";
  const end = ` '${path}'`;
  const isLong = path.length > LONG_PATH && error.message.endsWith(end);
  return isLong ? error.message.slice(0, -end.length) : error.message;
}

/** Why an aborted call ends: the typed reason that the signal carries, or `ABORTED`. */
export function abortError(signal: AbortSignal): IsotorchError {
  const reason: unknown = signal.reason;
  if (reason instanceof IsotorchError) return reason;
  return new IsotorchError("ABORTED", "The call was aborted.", { cause: reason });
}

/** Why a call ends that came after the close, or was given up by it. */
export function closedError(): IsotorchError {
  return new IsotorchError("CLOSED", "The classifier or generator is closed.", {
    hint: "Create another one.",
  });
}
