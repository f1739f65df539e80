#!/usr/bin/env node
/** `isotorch COMMAND …`: a command as a process, with its signals and its exit code. */
// oxlint-disable-next-line import/no-unassigned-import -- it looks at the host before what follows is loaded
import "./host.ts";
import { guardStreams } from "./terminal/streams.ts";
import { givenArguments } from "./flags/arguments.ts";
import { runCommand } from "./run.ts";

guardStreams();

// The first signal lets the command finish what it has begun, the second ends it at once. The worker never outlives it.
const GRACE_MS = 30_000;
const LEFT_MS = 250;
// What these start, such as conda, is given its own time to end.
const isUnhurried = ["setup", "doctor"].includes(process.argv[2] ?? "");
const interrupted = new AbortController();
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.on(signal, () => {
    if (interrupted.signal.aborted) process.exit(code);
    interrupted.abort();
    if (!isUnhurried) setTimeout(() => process.exit(code), GRACE_MS).unref();
    process.once("exit", () => (process.exitCode = code));
  });
}

process.exitCode = await runCommand(givenArguments(), interrupted.signal);
// What a command was told to leave off, and has left, holds nobody.
if (interrupted.signal.aborted) setTimeout(() => process.exit(), LEFT_MS).unref();
