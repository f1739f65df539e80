/** What a command prints that runs in this process. */
import { vi } from "vitest";
import type { Command } from "../../src/cli/registry.ts";
import { runCommand } from "../../src/cli/run.ts";

export interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end; what it throws is thrown. */
export function printed(run: Command["run"], argv: readonly string[]): Promise<Printed> {
  return captured(() => run(argv, new AbortController().signal, []));
}

/** `isotorch …`, with its exit code, as `main.ts` runs it in a process of its own. @param env beside this process's. */
export async function isotorch(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Printed> {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  try {
    return await captured(() => runCommand(words, new AbortController().signal));
  } finally {
    vi.unstubAllEnvs();
  }
}

async function captured(run: () => Promise<number>): Promise<Printed> {
  const texts = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      texts[name] += String(text);
      return true;
    }),
  );
  const code = await run().finally(() => spies.forEach((spy) => spy.mockRestore()));
  return { code, ...texts };
}
