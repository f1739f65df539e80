/** What went wrong with a worker, as typed errors: what it said, and how it ended. */
import { excerpt } from "../base/text/shown.ts";
import { endText } from "../base/status.ts";
import { ERROR_CODES, IsotorchError, closedError, messageOf } from "../base/errors.ts";
import type { IsotorchErrorCode } from "../base/errors.ts";
import { isOfEnvironment, lastLine } from "../base/crash.ts";
import type { WorkerExit } from "./process.ts";
import type { Failure } from "./supervision/state.ts";
import type { MessageOf } from "../protocol/wire.ts";

/** An `error` message as the error that it means. */
export function errorOf({ fields, frames }: MessageOf<"error">): IsotorchError {
  const code = ERROR_CODES.find((known) => known === fields.code) ?? "WORKER_ERROR";
  const traceback = new TextDecoder().decode(frames.find((frame) => frame.name === "traceback")?.data);
  return new IsotorchError(code, fields.message, {
    ...(fields.hint !== null && { hint: fields.hint }),
    ...(traceback !== "" && { traceback }),
  });
}

/** Exit codes that say what is wrong even where the worker could not send an error. */
const EXIT_MEANING: Readonly<Record<number, IsotorchErrorCode>> = {
  65: "CHECKPOINT_CORRUPT",
  66: "WEIGHTS_NOT_FOUND",
  76: "PROTOCOL_ERROR",
};

/** The end of a process as an error: while it was in a phase of its start, or at work (`phase` undefined). */
export function deathOf(exit: WorkerExit, phase: string | undefined): IsotorchError {
  const how = endText(exit.code, exit.signal);
  const lines = exit.stderr.trim().split("\n");
  const last = excerpt(lastLine(exit.stderr));
  const details = {
    ...(exit.cause !== undefined && { cause: exit.cause }),
    stderr: lines.slice(-20).join("\n"),
    ...tracebackIn(exit.stderr),
  };
  if (phase === undefined && !isOfEnvironment(exit)) {
    const message = `The worker ended ${how}${last && `: ${last}`}`;
    return new IsotorchError("WORKER_DIED", message, {
      ...details,
      hint: "`error.stderr` has its last lines.",
    });
  }
  const code = isOfEnvironment(exit)
    ? "ENVIRONMENT_BROKEN"
    : (EXIT_MEANING[exit.code ?? 0] ?? "WORKER_START_FAILED");
  const neverWas = exit.cause !== undefined && exit.code === null && exit.signal === null;
  const message = neverWas
    ? `The worker could not be started: ${messageOf(exit.cause)}`
    : `The worker ended ${how} while ${phase}${last && `: ${last}`}`;
  return new IsotorchError(code, message, {
    ...details,
    hint: "Run `npx isotorch doctor` to see what is wrong.",
  });
}

function tracebackIn(stderr: string): { traceback?: string } {
  const at = stderr.lastIndexOf("Traceback (most recent call last):");
  return at === -1 ? {} : { traceback: stderr.slice(at).trim() };
}

/** For calls after the close. */
/** What the supervision knows when it ends a call. */
export interface Circumstances {
  /** Why the last worker ended. */
  readonly cause: IsotorchError | undefined;
  /** A guess at when there is room in the queue; when an open circuit is tried again. Milliseconds. */
  readonly roomInMs: number;
  readonly retryInMs: number;
}

/** Why a call ended without an answer of its own, as the error that its caller gets. */
export function failureOf(failure: Failure, { cause, roomInMs, retryInMs }: Circumstances): IsotorchError {
  const details = {
    ...(cause !== undefined && { cause }),
    ...(cause?.stderr !== undefined && { stderr: cause.stderr }),
    ...(cause?.traceback !== undefined && { traceback: cause.traceback }),
  };
  switch (failure) {
    case "closed":
      return closedError();
    case "queue-full":
      return new IsotorchError("QUEUE_FULL", "The queue is full.", { retryAfterMs: roomInMs });
    case "circuit-open": {
      const message = "The worker crashed too often and is left alone for a while.";
      return new IsotorchError("CIRCUIT_OPEN", message, { ...details, retryAfterMs: retryInMs });
    }
    case "poison":
      return new IsotorchError(
        "POISON_INPUT",
        "The worker died each time it had this picture, at last with this picture alone.",
        details,
      );
    case "killed":
      return new IsotorchError(
        "WORKER_DIED",
        "The worker was ended from outside three times while it had this picture, and also without it.",
        { ...details, hint: "Find out who ends it, then send the picture again." },
      );
    case "died":
      return cause ?? new IsotorchError("WORKER_DIED", "The worker died.");
    case "failed":
      return cause ?? new IsotorchError("WORKER_START_FAILED", "The worker cannot be started.");
  }
}

/** Errors that another start would repeat: configuration, imports, checkpoint, protocol. */
const FATAL = new Set<IsotorchErrorCode>([
  "INVALID_OPTION",
  "ENVIRONMENT_NOT_FOUND",
  "ENVIRONMENT_BROKEN",
  "DEVICE_UNAVAILABLE",
  "WEIGHTS_NOT_FOUND",
  "CHECKPOINT_CORRUPT",
  "CHECKPOINT_MISMATCH",
  "CHECKPOINT_UNTRUSTED",
  "PROTOCOL_ERROR",
]);

export function isFatal({ code }: IsotorchError): boolean {
  return FATAL.has(code);
}

/** Whatever was thrown, as an error of ours. */
export function asError(thrown: unknown): IsotorchError {
  if (thrown instanceof IsotorchError) return thrown;
  return new IsotorchError("WORKER_START_FAILED", "The worker failed in an unexpected way.", {
    cause: thrown,
  });
}
