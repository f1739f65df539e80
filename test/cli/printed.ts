/** What a command prints that runs in this process. */
import { vi } from "vitest";
import type { Command } from "../../src/cli/registry.ts";

export interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function printed(run: Command["run"], argv: readonly string[]): Promise<Printed> {
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      texts[name] += String(text);
      return true;
    });
  }
  const code = await run(argv, new AbortController().signal, []).finally(() => vi.restoreAllMocks());
  return { code, ...texts };
}
