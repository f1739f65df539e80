/** Does what `doctor` can do by itself, and nothing that a user would have to undo. */
import { shown } from "../base/text/shown.ts";
import { statusText } from "../base/status.ts";
import { IsotorchError } from "../base/errors.ts";
import type { ClassifierOptions } from "../classification/options.ts";
import { thisMachine } from "../setup/machine.ts";
import type { Way } from "../setup/plan.ts";
import { setup } from "../setup/setup.ts";
import { ENDING } from "../setup/step.ts";
import type { SetupProgress } from "../setup/progress.ts";
import type { Variant } from "../setup/conda/variant.ts";
import { resolveCheckpoint } from "../checkpoints/resolve.ts";
import { runCommand } from "../python/command.ts";
import { UTF8_FOR_ALL } from "../python/script.ts";
import { surroundings } from "../python/surroundings.ts";
import type { Fix } from "./rule.ts";

/** Where a fix tells what it does. */
export interface FixReport {
  readonly say: (line: string) => void;
  readonly echo: (line: string) => void;
  readonly onProgress: (progress: SetupProgress) => void;
  readonly signal: AbortSignal;
}

/** What a fix is going to do, one clause. */
export function described(fix: Fix, mend: string): string {
  switch (fix.does) {
    case "setup":
    case "run":
      return mend;
    case "download":
      return `download ${fix.weights}`;
  }
}

/** Applies one fix. Rejects with the error of what it does, `SETUP_FAILED` for a command that fails, or `ABORTED`. */
export async function applyFix(fix: Fix, options: ClassifierOptions, report: FixReport): Promise<void> {
  const at = surroundings();
  switch (fix.does) {
    case "setup": {
      const [via, variant] = [valueOf("--via", fix.args), valueOf("--variant", fix.args)];
      await setup(
        { ...report, ...(via && { via: via as Way }), ...(variant && { variant: variant as Variant }) },
        await thisMachine(at),
      );
      return;
    }
    case "run": {
      const { code, outcome } = await runCommand(fix.file, fix.args, {
        // pip; conda has encodings of its own.
        env: { ...process.env, ...(fix.args[0] === "-m" && UTF8_FOR_ALL) },
        onLine: report.echo,
        signal: report.signal,
        ...ENDING,
      });
      if (outcome === "aborted") throw new IsotorchError("ABORTED", "The mending was interrupted.");
      if (code !== 0) {
        throw new IsotorchError(
          "SETUP_FAILED",
          `${shown(fix.file)} ended with exit status ${statusText(code)}.`,
          {
            hint: "What it printed says why; `isotorch doctor` says what is still wrong",
          },
        );
      }
      return;
    }
    case "download": {
      const { transforms: _, ...where } = options;
      await resolveCheckpoint(fix.weights, { ...where, signal: report.signal });
    }
  }
}

function valueOf(flag: string, args: readonly string[]): string | undefined {
  const place = args.indexOf(flag);
  return place === -1 ? undefined : args[place + 1];
}
