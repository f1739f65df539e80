/** Why a picture was not prepared, where the picture itself did not say. */
import { outOfMemory } from "../../base/memory.ts";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import type { ChildEnd } from "../../base/child.ts";

/** Signals that somebody else sends, such as the system when memory is short. A crash of a decoder has others. */
const FROM_OUTSIDE = new Set<NodeJS.Signals>(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"]);

/** Whether somebody else ended the process. */
export function isFromOutside({ signal }: ChildEnd): boolean {
  return signal !== null && FROM_OUTSIDE.has(signal);
}

/** The end of a process in a phrase. */
export function endingText({ error, code, signal }: ChildEnd): string {
  return error === undefined ? (signal ?? `exit code ${code}`) : messageOf(error);
}

/** A library of the process does not load. */
export function unable(cause: unknown): IsotorchError {
  if (cause instanceof IsotorchError) return cause;
  const message = `The process that prepares pictures cannot begin: ${messageOf(cause)}`;
  return (
    outOfMemory(cause) ??
    new IsotorchError("WORKER_START_FAILED", message, {
      hint: "Install isotorch again on this system, for its Node and its processor: sharp is a native library.",
      cause,
    })
  );
}

/** @param cause what was thrown, or how the process ended. */
export function unstartable(cause: unknown): IsotorchError {
  if (cause instanceof IsotorchError) return cause;
  const message = `A process that prepares pictures cannot be started: ${messageOf(cause)}`;
  return (
    outOfMemory(cause) ??
    new IsotorchError("WORKER_START_FAILED", message, {
      hint: "Raise what limits this process: `ulimit -u` (processes), `ulimit -v` (addresses), `ulimit -n` (files)",
      cause,
    })
  );
}

export function crashed(ending: ChildEnd): IsotorchError {
  return new IsotorchError(
    "DECODE_FAILED",
    `Two processes ended while they prepared the picture, the second by ${endingText(ending)}.`,
    {
      hint: "Save the picture with another program, and make it smaller: it may need more memory than there is.",
    },
  );
}

export function killedTwice(): IsotorchError {
  return new IsotorchError(
    "WORKER_DIED",
    "Two processes were killed from outside while they prepared the picture.",
    {
      hint: "Look for what kills processes on this machine, such as too little memory, and send the picture again.",
      retryAfterMs: 1_000,
    },
  );
}

export function tookTooLong(ms: number): IsotorchError {
  return new IsotorchError("DECODE_FAILED", `The picture took more than ${ms} ms to decode.`, {
    hint: "Save the picture with another program, and make it smaller.",
  });
}

export function tooManyWait(): IsotorchError {
  return new IsotorchError("QUEUE_FULL", "Too many pictures wait to be decoded.", { retryAfterMs: 1_000 });
}

export function poolClosed(): IsotorchError {
  return new IsotorchError("CLOSED", "Pictures are decoded no more: the server is shutting down.");
}
