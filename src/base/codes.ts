/** Made by `npm run protocol` from `python/isotorch_worker/protocol/messages.json`: do not edit. */

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
  "OUTPUT_FAILED",
  // the picture
  "INPUT_NOT_FOUND",
  "INPUT_UNREADABLE",
  "INPUT_TOO_LARGE",
  "BAD_LIST",
  "UNSUPPORTED_FORMAT",
  "UNSUPPORTED_MODE",
  "DECODE_FAILED",
  "BAD_TENSOR",
  "POISON_INPUT",
  "NON_FINITE_OUTPUT",
  // the text
  "CONTEXT_LENGTH",
  "BAD_VOCABULARY",
  "NOT_REPRODUCIBLE",
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
  // a remote server
  "REMOTE_UNREACHABLE",
  "REMOTE_REFUSED",
  "REMOTE_MISMATCH",
] as const;
export type IsotorchErrorCode = (typeof ERROR_CODES)[number];
