/** The programs of the conda family on this machine. */
import { stat } from "node:fs/promises";
import { whichCommand } from "./candidates.ts";
import { condaRoots } from "./conda.ts";
import type { Surroundings } from "./surroundings.ts";

/** Which program it is; they differ in their words. */
export type ManagerKind = "mamba" | "micromamba" | "conda";

/** A program that makes environments. */
export interface Manager {
  readonly kind: ManagerKind;
  /** Absolute path. */
  readonly file: string;
}

/** The quickest solver first. */
const KINDS: readonly ManagerKind[] = ["mamba", "micromamba", "conda"];

/**
 * The manager to make environments with: on the PATH, named by a variable, or in an installation directory, which on
 * Windows is not on the PATH outside the Anaconda prompt. `undefined` where there is none.
 */
export async function findManager(
  at: Surroundings,
  kinds: readonly ManagerKind[] = KINDS,
): Promise<Manager | undefined> {
  for (const kind of kinds) {
    const file = await whichCommand(kind, at);
    if (file) return { kind, file };
  }
  for (const kind of kinds) {
    for (const file of usualPlaces(kind, at)) {
      if ((await stat(file).catch(() => undefined))?.isFile()) return { kind, file };
    }
  }
  return undefined;
}

function usualPlaces(kind: ManagerKind, at: Surroundings): string[] {
  const { environ, platform, path } = at;
  const variable = kind === "conda" ? environ["CONDA_EXE"] : environ["MAMBA_EXE"];
  const named = variable && path.isAbsolute(variable) && kindOf(variable, at) === kind ? [variable] : [];
  const inside =
    platform === "win32"
      ? [`Scripts\\${kind}.exe`, `Library\\bin\\${kind}.exe`, `condabin\\${kind}.bat`]
      : [`bin/${kind}`, `condabin/${kind}`];
  return [...named, ...condaRoots(at).flatMap((root) => inside.map((entry) => path.join(root, entry)))];
}

function kindOf(file: string, { path }: Surroundings): string {
  return path.basename(file).replace(/\.(?:exe|bat|cmd)$/i, "");
}
