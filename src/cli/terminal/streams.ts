/** What happens when nobody takes what a command prints. */
import { hasCode } from "../../base/files/files.ts";
import { unwritable } from "../../base/files/output.ts";
import { EXIT, exitCodeOf } from "../exit.ts";

/** Hears of the failures of stdout and stderr, which would end the process otherwise. */
export function guardStreams(): void {
  process.stdout.on("error", (cause) => {
    // A reader that went away (`| head`) is no failure.
    if (hasCode(cause, "EPIPE", "EOF")) process.exit(EXIT.ok);
    const { code, message, hint } = unwritable("What this command prints", cause);
    process.stderr.write(`isotorch: ${code}: ${message}\n  ${hint}\n`);
    process.exit(exitCodeOf(code));
  });
  // There is nowhere left to say it, and the answers go elsewhere.
  process.stderr.on("error", () => {});
}
