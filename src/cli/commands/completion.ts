/** `isotorch completion SHELL` */
import { IsotorchError } from "../../base/errors.ts";
import { COMMANDS } from "../registry.ts";
import { bash } from "../completion/bash.ts";
import { fish } from "../completion/fish.ts";
import { powershell } from "../completion/powershell.ts";
import { zsh } from "../completion/zsh.ts";
import { COMPLETION, SHELLS } from "../describe/completion.ts";
import { parserOf } from "../flags/description.ts";
import type { Description } from "../flags/description.ts";
import { EXIT } from "../exit.ts";
import { parseFlags } from "../flags/flags.ts";
import { print } from "../terminal/terminal.ts";

/** Commands by name. */
export type Described = readonly (readonly [name: string, description: Description])[];

/** @returns 0. */
export async function run(argv: readonly string[]): Promise<number> {
  const { positionals } = parseFlags(argv, parserOf(COMPLETION));
  const shell = SHELLS.find((known) => known === positionals[0]);
  if (shell === undefined || positionals.length > 1) {
    throw new IsotorchError("INVALID_OPTION", `\`completion\` knows ${SHELLS.join(", ")}.`, {
      hint: "isotorch completion bash",
    });
  }
  await print(completionFor(shell));
  return EXIT.ok;
}

/** The script that makes a shell complete isotorch's command lines. */
export function completionFor(shell: (typeof SHELLS)[number]): string {
  const described = Object.entries(COMMANDS).map(([name, [description]]) => [name, description] as const);
  return { bash, zsh, fish, powershell }[shell](described);
}
