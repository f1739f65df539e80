#!/usr/bin/env node
/** `isotorch COMMAND …`: finds the command, runs it, turns its outcome into an exit code. Nothing else. */
// oxlint-disable-next-line import/no-unassigned-import -- it looks at the host before what follows is loaded
import "./host.ts";
import { outOfMemory } from "../base/memory.ts";
import { diskFailure } from "../base/files/output.ts";
import { guardStreams } from "./terminal/streams.ts";
import { say } from "./terminal/terminal.ts";
import { excerpt } from "../base/text/shown.ts";
import { IsotorchError } from "../base/errors.ts";
import { invalid } from "../base/options/check.ts";
import { didYouMean } from "../base/options/suggest.ts";
import { PACKAGE_VERSION } from "../base/version.ts";
import { givenArguments } from "./flags/arguments.ts";
import { COMMANDS, DESCRIBED } from "./registry.ts";
import { helpOf } from "./flags/description.ts";
import { EXIT, exitCodeOf } from "./exit.ts";
import { STATUS } from "./terminal/status-line.ts";

const USAGE = `isotorch: torchvision's own networks from TypeScript, with the same answer as PyTorch

  isotorch setup                    find or make the Python environment (once)
  isotorch classify dog.jpg         the five best classes, as the tutorial prints them

Commands:
${Object.entries(COMMANDS)
  .map(([name, [{ summary }]]) => `  ${name.padEnd(12)}${summary}`)
  .join("\n")}

  isotorch COMMAND --help           what it takes, with examples
  isotorch --version

Exit codes: 0 ok, 1 some input failed, 2 usage, 3 environment, checkpoint or disk, 4 device, 5 worker, 130 Ctrl-C.
`;

async function main([name = "--help", ...argv]: readonly string[]): Promise<number> {
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(USAGE);
    return EXIT.ok;
  }
  if (name === "--version" || name === "-v") {
    process.stdout.write(`${PACKAGE_VERSION}\n`);
    return EXIT.ok;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) {
    const meant = didYouMean(name, Object.keys(COMMANDS), (command) => `\`isotorch ${command}\``);
    throw invalid(`There is no command "${excerpt(name)}".`, meant ?? "`isotorch --help` lists them.");
  }
  const [description, load] = entry;
  if (argv.includes("--help") || argv.includes("-h")) {
    process.stdout.write(helpOf(name, description));
    return EXIT.ok;
  }
  const command = await load();
  return command.run(argv, interrupted.signal, DESCRIBED);
}

function report(thrown: unknown): number {
  STATUS.clear();
  const error = outOfMemory(thrown) ?? diskFailure(thrown) ?? thrown;
  if (!(error instanceof IsotorchError)) throw error;
  if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ error })}\n`);
  say(`isotorch: ${error.code}: ${error.message}\n`, process.stderr);
  say(`  ${error.hint.replaceAll("\n", "\n  ")}\n`, process.stderr);
  if (error.traceback !== undefined && error.code === "WORKER_ERROR")
    say(`${error.traceback}\n`, process.stderr);
  return exitCodeOf(error.code);
}

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

process.exitCode = await main(givenArguments()).catch(report);
// What a command was told to leave off, and has left, holds nobody.
if (interrupted.signal.aborted) setTimeout(() => process.exit(), LEFT_MS).unref();
