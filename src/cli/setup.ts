/** `isotorch setup` */
import { styleText } from "node:util";
import { IsotorchError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { thisMachine, type Way, WAYS } from "../setup/plan.ts";
import { setup } from "../setup/setup.ts";
import { surroundings } from "../worker/surroundings.ts";
import { EXIT } from "./exit.ts";
import { parseFlags } from "./flags.ts";

export const help = `isotorch setup : finds a Python environment with PyTorch, or makes one, and records it

  isotorch setup
  isotorch setup --dry-run
  isotorch setup --via venv --python /usr/bin/python3.11

Where an environment fits already, it is recorded and nothing is installed. Else one is made, first match wins:
conda-family from env.yml (PyTorch 1.12.1, CUDA 11.3); the distribution's packages for root on Debian and
Ubuntu; a virtual environment. What is going to be run is printed before it is run.

  --via apt|venv|conda   make one in this way, also where one fits already
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
    python: { type: "string" },
    "dry-run": { type: "boolean" },
    json: { type: "boolean" },
  });
  if (positionals.length > 0) {
    throw new IsotorchError("INVALID_OPTION", `setup takes no ${JSON.stringify(positionals[0])}.`, {
      hint: "`isotorch setup --help` shows what it takes",
    });
  }
  const { via, python, json } = values;
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  // The tools run in groups of their own, so the terminal's Ctrl-C reaches only this process.
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  try {
    const result = await setup(
      {
        ...(via !== undefined && { via: wayOf(via) }),
        ...(typeof python === "string" && { python }),
        dryRun: values["dry-run"] === true,
        say: (line) => (json ? process.stderr : process.stdout).write(`${line}\n`),
        echo: (line) => process.stderr.write(`${process.stderr.isTTY ? styleText("dim", line) : line}\n`),
        signal: interrupted.signal,
      },
      await thisMachine(surroundings()),
    );
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    return EXIT.ok;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

function wayOf(via: unknown): Way {
  const way = WAYS.find((known) => known === via);
  if (way) return way;
  const meant = nearest(String(via), WAYS);
  throw new IsotorchError("INVALID_OPTION", `--via is "${String(via)}", expected apt, venv or conda.`, {
    hint: meant ? `Did you mean --via ${meant}?` : "Leave --via away to let setup choose",
  });
}
