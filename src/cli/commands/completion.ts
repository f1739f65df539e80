/** `isotorch completion SHELL` */
import { IsotorchError } from "../../base/errors.ts";
import type { Described } from "../completion/described.ts";
import { bash } from "../completion/bash.ts";
import { fish } from "../completion/fish.ts";
import { powershell } from "../completion/powershell.ts";
import { zsh } from "../completion/zsh.ts";
import { COMPLETION, SHELLS } from "../describe/completion.ts";
import { parserOf } from "../flags/description.ts";
import { EXIT } from "../exit.ts";
import { parseFlags } from "../flags/flags.ts";
import { print } from "../terminal/terminal.ts";

/** @returns 0. */
export async function run(
  argv: readonly string[],
  _signal: AbortSignal,
  commands: Described,
): Promise<number> {
  const { positionals } = parseFlags(argv, parserOf(COMPLETION));
  const shell = SHELLS.find((known) => known === positionals[0]);
  if (shell === undefined || positionals.length > 1) {
    throw new IsotorchError("INVALID_OPTION", `\`completion\` knows ${SHELLS.join(", ")}.`, {
      hint: "isotorch completion bash",
    });
  }
  await print(completionFor(shell, commands));
  return EXIT.ok;
}

/** The script that makes a shell complete isotorch's command lines. */
export function completionFor(shell: (typeof SHELLS)[number], commands: Described): string {
  return { bash, zsh, fish, powershell }[shell](commands);
}
