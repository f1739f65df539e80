import type { IsotorchErrorCode } from "../base/errors.ts";

/** What a command's end means to a shell. */
export const EXIT = { ok: 0, input: 1, usage: 2, environment: 3, device: 4, worker: 5 } as const;

const CODES: Readonly<Record<IsotorchErrorCode, number>> = {
  INVALID_OPTION: EXIT.usage,
  BAD_LABELS: EXIT.usage,
  BAD_VOCABULARY: EXIT.usage,
  INVALID_INPUT: EXIT.input,
  ABORTED: EXIT.input,
  DEADLINE_EXCEEDED: EXIT.input,
  CLOSED: EXIT.input,
  QUEUE_FULL: EXIT.input,
  INPUT_NOT_FOUND: EXIT.input,
  INPUT_UNREADABLE: EXIT.input,
  INPUT_TOO_LARGE: EXIT.input,
  BAD_LIST: EXIT.input,
  UNSUPPORTED_FORMAT: EXIT.input,
  UNSUPPORTED_MODE: EXIT.input,
  DECODE_FAILED: EXIT.input,
  BAD_TENSOR: EXIT.input,
  POISON_INPUT: EXIT.input,
  NON_FINITE_OUTPUT: EXIT.input,
  CONTEXT_LENGTH: EXIT.input,
  NOT_REPRODUCIBLE: EXIT.input,
  OUTPUT_FAILED: EXIT.environment,
  ENVIRONMENT_NOT_FOUND: EXIT.environment,
  ENVIRONMENT_BROKEN: EXIT.environment,
  SETUP_FAILED: EXIT.environment,
  WEIGHTS_NOT_FOUND: EXIT.environment,
  DOWNLOAD_FAILED: EXIT.environment,
  CHECKPOINT_CORRUPT: EXIT.environment,
  CHECKPOINT_MISMATCH: EXIT.environment,
  CHECKPOINT_UNTRUSTED: EXIT.environment,
  DEVICE_UNAVAILABLE: EXIT.device,
  WORKER_START_FAILED: EXIT.worker,
  WORKER_DIED: EXIT.worker,
  WORKER_ERROR: EXIT.worker,
  OUT_OF_MEMORY: EXIT.worker,
  CIRCUIT_OPEN: EXIT.worker,
  PROTOCOL_ERROR: EXIT.worker,
  REMOTE_UNREACHABLE: EXIT.worker,
  REMOTE_REFUSED: EXIT.worker,
  REMOTE_MISMATCH: EXIT.worker,
};

/** The exit code of a command that ended with this error. */
export function exitCodeOf(code: IsotorchErrorCode): number {
  return CODES[code];
}
