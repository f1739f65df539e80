/** Ray's own Python: a virtual environment that sees the PyTorch which isotorch uses, with Ray from PyPI. */
import { shown } from "../base/text/shown.ts";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { abortError, IsotorchError } from "../base/errors.ts";
import { type CommandResult, runCommand } from "../python/command.ts";
import { findEnvironment } from "../python/environment.ts";
import type { EnvironmentOptions } from "../python/environment.ts";
import { UTF8_FOR_ALL } from "../python/script.ts";
import { surroundings, venvDirectory } from "../python/surroundings.ts";

/** Pinned: Ray's test utility and its proxies change from version to version. */
const RAY = "2.60.0";
const CHECK = `import ray, torch, torchvision, zmq; from ray import serve; assert ray.__version__ == "${RAY}"`;
const INSTALL_MS = 900_000;
const ENVIRONMENT = { ...process.env, ...UTF8_FOR_ALL };

export interface RayPythonOptions extends EnvironmentOptions {
  /** Hears what is about to be done, before it is done. */
  readonly onStep?: (step: string) => void;
}

/**
 * The interpreter of the environment; it is made the first time, 400 MB.
 *
 * @throws IsotorchError `SETUP_FAILED` with pip's last lines, and what `findEnvironment` throws.
 */
export async function rayPython({ onStep, ...options }: RayPythonOptions = {}): Promise<string> {
  const folder = join(dirname(venvDirectory(surroundings())), `ray-${RAY}`);
  const python = join(
    folder,
    ...(process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"]),
  );
  if (existsSync(python) && (await works(python, options.signal))) return python;
  const base = (await findEnvironment(options)).python;
  onStep?.(`Making ${folder} for Ray ${RAY}, on top of ${base}`);
  await step(base, ["-m", "venv", "--system-site-packages", folder], options.signal);
  await step(
    python,
    ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `ray[serve]==${RAY}`],
    options.signal,
  );
  if (await works(python, options.signal)) return python;
  throw new IsotorchError(
    "SETUP_FAILED",
    `${shown(python)} has Ray and does not see the PyTorch of ${base}.`,
    {
      hint: "An environment that is itself a virtual one cannot be built upon; use the system's or conda's Python.",
    },
  );
}

async function works(python: string, signal: AbortSignal | undefined): Promise<boolean> {
  const { code } = await run(python, ["-c", CHECK], 120_000, signal);
  return code === 0;
}

async function step(file: string, args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const { code, stderr, stdout } = await run(file, args, INSTALL_MS, signal);
  if (code === 0) return;
  const last = `${stdout}\n${stderr}`.trim().split("\n").slice(-3).join(" ");
  throw new IsotorchError("SETUP_FAILED", `Ray cannot be installed: ${last}`, {
    hint: "Ray comes from PyPI: check the network or pip's settings.",
  });
}

async function run(
  file: string,
  args: readonly string[],
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<CommandResult> {
  const result = await runCommand(file, args, { env: ENVIRONMENT, timeoutMs, ...(signal && { signal }) });
  if (signal?.aborted) throw abortError(signal);
  return result;
}
