/** A command by its words: found, run, and its outcome turned into an exit code. What belongs to a process is in `main.ts`. */
import { outOfMemory } from "../base/memory.ts";
import { diskFailure } from "../base/files/output.ts";
import { say } from "./terminal/terminal.ts";
import { excerpt } from "../base/text/shown.ts";
import { IsotorchError } from "../base/errors.ts";
import { invalid } from "../base/options/check.ts";
import { didYouMean } from "../base/options/suggest.ts";
import { PACKAGE_VERSION } from "../base/version.ts";
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

/**
 * @param words what stands behind `isotorch` on the command line.
 * @returns the exit code; a failure has been told.
 */
export async function runCommand(words: readonly string[], signal: AbortSignal): Promise<number> {
  try {
    return await runNamed(words, signal);
  } catch (error) {
    return report(error, words.includes("--json"));
  }
}

async function runNamed([name = "--help", ...argv]: readonly string[], signal: AbortSignal): Promise<number> {
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
  return command.run(argv, signal, DESCRIBED);
}

function report(thrown: unknown, isJson: boolean): number {
  STATUS.clear();
  const error = outOfMemory(thrown) ?? diskFailure(thrown) ?? thrown;
  if (!(error instanceof IsotorchError)) throw error;
  if (isJson) process.stdout.write(`${JSON.stringify({ error })}\n`);
  say(`isotorch: ${error.code}: ${error.message}\n`, process.stderr);
  say(`  ${error.hint.replaceAll("\n", "\n  ")}\n`, process.stderr);
  if (error.traceback !== undefined && error.code === "WORKER_ERROR")
    say(`${error.traceback}\n`, process.stderr);
  return exitCodeOf(error.code);
}
