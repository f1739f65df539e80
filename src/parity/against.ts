/** Which Python the reference runs in, and on which device. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { IsotorchError } from "../base/errors.ts";
import { findEnvironment } from "../python/environment.ts";
import type { EnvironmentOptions } from "../python/environment.ts";
import type { WorkerInfo } from "../classification/info.ts";
import type { ReferenceOptions } from "./reference.ts";

/**
 * `plain`: the worker's own interpreter and device. `cpu`: the same interpreter on the CPU. Else the path of an
 * interpreter, the path of an environment, or the name of a conda environment, on the worker's kind of device.
 */
export type Against = "plain" | "cpu" | (string & {});

/**
 * The interpreter for the reference.
 *
 * @throws IsotorchError as `findEnvironment`, except that an interpreter given by its path may lack what the worker alone needs.
 */
export async function resolveAgainst(
  against: Against,
  info: Pick<WorkerInfo, "executable" | "device">,
  signal?: AbortSignal,
): Promise<Pick<ReferenceOptions, "python" | "variables" | "device">> {
  const abort = signal && { signal };
  if (against === "plain") return { ...(await launch(info.executable, abort)), device: info.device };
  if (against === "cpu") return { ...(await launch(info.executable, abort)), device: "cpu" };
  const isPython = /^python[\d.]*$/.test(against) || (await isFile(against));
  const found = isPython ? await launch(against, abort) : await environment({ env: against, ...abort });
  return { ...found, device: info.device };
}

async function launch(
  python: string,
  options: EnvironmentOptions = {},
): Promise<Pick<ReferenceOptions, "python" | "variables">> {
  try {
    return await environment({ python, ...options });
  } catch (error) {
    // The reference needs neither ZeroMQ nor msgpack; what it lacks, it says itself.
    const isThere = error instanceof IsotorchError && error.code === "ENVIRONMENT_BROKEN";
    if (isThere && (await isFile(python))) return { python: resolve(python) };
    throw error;
  }
}

async function environment(
  options: EnvironmentOptions,
): Promise<Pick<ReferenceOptions, "python" | "variables">> {
  const { python, variables } = await findEnvironment(options);
  return { python, variables };
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
