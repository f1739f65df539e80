/** `isotorch setup` */
import { say } from "../terminal/terminal.ts";
import { shownValue, visible } from "../../base/text/shown.ts";
import { styleText } from "node:util";
import { IsotorchError } from "../../base/errors.ts";
import { thisMachine } from "../../setup/machine.ts";
import { WAYS } from "../../setup/plan.ts";
import { setup } from "../../setup/setup.ts";
import { VARIANTS } from "../../setup/conda/variant.ts";
import { surroundings } from "../../python/surroundings.ts";
import { SETUP } from "../describe/environment.ts";
import { parserOf } from "../flags/description.ts";
import { EXIT } from "../exit.ts";
import { oneOf, parseFlags } from "../flags/flags.ts";
import { progressBar } from "../terminal/setup-progress.ts";

/**
 * @returns 0 when an environment is recorded (or would be).
 * @throws IsotorchError `SETUP_FAILED`, `INVALID_OPTION` or `ABORTED`.
 */
export async function run(
  argv: readonly string[],
  signal: AbortSignal = new AbortController().signal,
): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(SETUP));
  if (positionals.length > 0) {
    throw new IsotorchError("INVALID_OPTION", `setup takes no ${shownValue(positionals[0])}.`, {
      hint: "`isotorch setup --help` shows what it takes",
    });
  }
  const { via, variant, python, json } = values;
  const bar = progressBar(process.stderr);
  try {
    const result = await setup(
      {
        ...(via !== undefined && { via: oneOf("via", via, WAYS) }),
        ...(variant !== undefined && { variant: oneOf("variant", variant, VARIANTS) }),
        ...(typeof python === "string" && { python }),
        dryRun: values["dry-run"] === true,
        say: (line) => {
          bar.clear();
          say(`${line}\n`, json ? process.stderr : process.stdout);
        },
        echo: (line) => {
          bar.clear();
          process.stderr.write(`${process.stderr.isTTY ? styleText("dim", visible(line)) : line}\n`);
        },
        onProgress: (progress) => bar.show(progress),
        signal,
      },
      await thisMachine(surroundings()),
    );
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
    return EXIT.ok;
  } finally {
    bar.clear();
  }
}
