/** What an environment really has, found out by importing everything. For `doctor`; takes seconds. */
import { runCommand } from "./command.ts";
import type { Environment } from "./environment.ts";
import { isRecord } from "./json.ts";
import { WORKER_SCRIPT } from "./script.ts";

export interface Examination {
  /** Versions and build facts by name, as text. */
  readonly facts: Readonly<Record<string, string>>;
  /** One sentence for each import that failed. */
  readonly failures: readonly string[];
}

const IMPORT_TIMEOUT_MS = 120_000;

export async function examinePython({ python, variables }: Environment): Promise<Examination> {
  const { code, outcome, stdout, stderr } = await runCommand(
    python,
    ["-I", "-u", WORKER_SCRIPT, "probe", "--import"],
    { env: { ...process.env, ...variables }, timeoutMs: IMPORT_TIMEOUT_MS },
  );
  const answer: unknown = code === 0 ? JSON.parse(stdout.trim().split("\n").at(-1) ?? "") : undefined;
  if (!isRecord(answer)) {
    const said = stderr.trim().split("\n").at(-1) ?? "";
    return {
      facts: {},
      failures: [`Importing PyTorch ended with ${outcome} (${code ?? "a signal"}): ${said}.`],
    };
  }
  const { errors, versions, torch, pillow, ...rest } = answer;
  const facts = { ...texts(rest), ...texts(versions), ...texts(torch), ...texts(pillow) };
  const failures = Object.entries(texts(errors)).map(([name, text]) => `Importing ${name} failed: ${text}.`);
  return { facts, failures };
}

function texts(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null && !(Array.isArray(item) && item.length === 0))
      .map(([name, item]) => [name, Array.isArray(item) ? item.join(", ") : String(item)]),
  );
}
