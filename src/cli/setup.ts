/** `isotorch setup` */
import { styleText } from "node:util";
import { IsotorchError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { thisMachine } from "../setup/machine.ts";
import { WAYS } from "../setup/plan.ts";
import { setup } from "../setup/setup.ts";
import { VARIANTS } from "../setup/variant.ts";
import { surroundings } from "../worker/surroundings.ts";
import { EXIT } from "./exit.ts";
import { parseFlags } from "./flags.ts";
import { progressBar } from "./setup-progress.ts";

export const help = `isotorch setup : finds a Python environment with PyTorch, or makes one, and records it

  isotorch setup
  isotorch setup --dry-run
  isotorch setup --via venv --python /usr/bin/python3.11

Where an environment fits already, it is recorded and nothing is installed. Else one is made, first match wins:
with mamba, micromamba or conda; the distribution's packages for root on Debian and Ubuntu; a virtual environment.
What is going to be run is printed before it is run. Ctrl-C ends it cleanly, and the next setup goes on from there.

  --via apt|venv|conda   make one in this way, also where one fits already
  --variant NAME         of conda: cu113 (PyTorch 1.12.1, CUDA 11.3), cuda (a current CUDA 12), cpu; default by the GPU
  --python PATH          use this interpreter if it fits, else make a virtual environment from it
  --dry-run              print what would be done
  --json                 one object on stdout: {"via","commands","environment","record"}
`;

/**
 * @returns 0 when an environment is recorded (or would be).
 * @throws IsotorchError `SETUP_FAILED`, `INVALID_OPTION` or `ABORTED`.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(argv, {
    via: { type: "string" },
    variant: { type: "string" },
    python: { type: "string" },
    "dry-run": { type: "boolean" },
    json: { type: "boolean" },
  });
  if (positionals.length > 0) {
    throw new IsotorchError("INVALID_OPTION", `setup takes no ${JSON.stringify(positionals[0])}.`, {
      hint: "`isotorch setup --help` shows what it takes",
    });
  }
  const { via, variant, python, json } = values;
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  // The tools run in groups of their own, so the terminal's Ctrl-C reaches only this process.
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const bar = progressBar(process.stderr);
  try {
    const result = await setup(
      {
        ...(via !== undefined && { via: oneOf("via", via, WAYS) }),
        ...(variant !== undefined && { variant: oneOf("variant", variant, VARIANTS) }),
        ...(typeof python === "string" && { python }),
        dryRun: values["dry-run"] === true,
        say: (line) => (json ? process.stderr : process.stdout).write(`${line}\n`),
        echo: (line) => {
          bar.clear();
          process.stderr.write(`${process.stderr.isTTY ? styleText("dim", line) : line}\n`);
        },
        onProgress: (progress) => bar.show(progress),
        signal: interrupted.signal,
      },
      await thisMachine(surroundings()),
    );
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    return EXIT.ok;
  } finally {
    bar.clear();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

function oneOf<T extends string>(flag: string, value: unknown, known: readonly T[]): T {
  const found = known.find((name) => name === value);
  if (found) return found;
  const meant = nearest(String(value), known);
  const names = `${known.slice(0, -1).join(", ")} or ${known.at(-1)}`;
  throw new IsotorchError("INVALID_OPTION", `--${flag} is "${String(value)}", expected ${names}.`, {
    hint: meant ? `Did you mean --${flag} ${meant}?` : `Leave --${flag} away to let setup choose`,
  });
}
