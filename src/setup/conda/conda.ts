/** An environment by way of conda, mamba or micromamba. */
import { shown } from "../../base/text/shown.ts";
import { constants } from "node:fs";
import { access, rm, stat } from "node:fs/promises";
import { basename } from "node:path";
import { IsotorchError } from "../../base/errors.ts";
import { ENVIRONMENT_NAME } from "../../python/candidates.ts";
import { quoted } from "../../python/command.ts";
import { condaPython } from "../../python/conda/conda.ts";
import { isCondaPrefix } from "../../python/conda/roots.ts";
import { askInfo, findManager, type Manager } from "../../python/conda/managers.ts";
import type { Surroundings } from "../../python/surroundings.ts";
import { isWhole, readMaking } from "../making.ts";
import type { Machine } from "../machine.ts";
import { type CondaPlan, notOpen, type Plan, type Step } from "../plan.ts";
import { chooseVariant, recipeOf, type Variant } from "./variant.ts";

/**
 * Plans to make the environment named isotorch, or to bring it up to date. What an earlier setup left half made is
 * removed first; the packages that it downloaded are in the manager's own cache. Rejects with `SETUP_FAILED`.
 */
export async function planConda(why: string, asked: Variant | undefined, machine: Machine): Promise<Plan> {
  const { at } = machine;
  const manager = await findManager(at);
  if (!manager) {
    const sought = "mamba, micromamba and conda are neither on the PATH nor in the usual places";
    throw notOpen("conda", sought, "isotorch setup --via venv");
  }
  const { variant, why: because } = await chooseVariant(asked, machine);
  const conda = await placeFor(manager, variant, at);
  return {
    via: "conda",
    why: `${why}; ${basename(recipeOf(variant).file)}, because ${because}`.replace(", because asked for", ""),
    steps: [stepOf(conda)],
    python: condaPython(conda.prefix, at),
    conda,
  };
}

/** Removes what an earlier setup left half made. Rejects with `SETUP_FAILED`. */
export async function removeHalfMade(prefix: string): Promise<void> {
  try {
    await rm(prefix, { recursive: true, force: true, maxRetries: 3 });
  } catch (cause) {
    throw new IsotorchError(
      "SETUP_FAILED",
      `The half-made environment ${shown(prefix)} could not be removed.`,
      {
        hint: `Close what uses it, then: ${process.platform === "win32" ? "rmdir /s /q" : "rm -r"} ${quoted(prefix)}`,
        cause,
      },
    );
  }
}

/**
 * One form that every conda since 4.12, mamba and micromamba read. `--override-channels` leaves out the channels of the
 * user's configuration, whose terms nobody accepted for this; its mirrors (`custom_channels`, `channel_alias`) count.
 */
function stepOf({ manager, variant, prefix, verb }: CondaPlan): Step {
  const { specs, channels } = recipeOf(variant);
  const args = [verb === "create" ? "create" : "install", "-y", "-p", prefix, "--override-channels"];
  args.push(...channels.flatMap((channel) => ["-c", channel]), "--file", specs);
  // conda then tells of a failure as data; mamba and micromamba tell their progress as text alone.
  if (manager.kind === "conda") args.push("--json");
  return { file: manager.file, args };
}

async function placeFor(manager: Manager, variant: Variant, at: Surroundings): Promise<CondaPlan> {
  const { path } = at;
  const { folders, caches, complaint } = await askInfo(manager, at);
  if (folders.length === 0) throw unanswered(manager, complaint);
  const base = { manager, variant, caches };
  const prefixes = folders.map((folder) => path.join(folder, ENVIRONMENT_NAME));
  const making = await readMaking(at);
  for (const prefix of prefixes) {
    if (!(await stat(prefix).catch(() => undefined))) continue;
    const isHalfMade = making?.prefix === prefix && making.verb === "create" && !(await isWhole(prefix, at));
    if (isHalfMade) return { ...base, prefix, verb: "create", removes: prefix };
    if (await isCondaPrefix(prefix, at)) return { ...base, prefix, verb: "update", removes: undefined };
    throw new IsotorchError(
      "SETUP_FAILED",
      `${shown(prefix)} is in the way: it is not an environment of conda.`,
      {
        hint: `Look at it and move it away, or use another way: isotorch setup --via venv`,
      },
    );
  }
  for (const prefix of prefixes) {
    if (await canMake(prefix, at)) return { ...base, prefix, verb: "create", removes: undefined };
  }
  throw new IsotorchError("SETUP_FAILED", `None of conda's folders can be written: ${folders.join(", ")}.`, {
    hint: "Name one that can: CONDA_ENVS_PATH=/path/to/envs isotorch setup --via conda",
  });
}

function unanswered({ file, kind }: Manager, complaint: string): IsotorchError {
  const said = complaint && ` (${complaint})`;
  return new IsotorchError("SETUP_FAILED", `${shown(file)} does not say where its environments are${said}.`, {
    hint: `Run it by hand to see why: ${quoted(file)} info --json. Is this ${kind} whole?`,
  });
}

/** Whether the nearest directory above that exists can be written. */
async function canMake(prefix: string, { path }: Surroundings): Promise<boolean> {
  for (let folder = path.dirname(prefix); ; folder = path.dirname(folder)) {
    if (await stat(folder).catch(() => undefined)) {
      return access(folder, constants.W_OK).then(
        () => true,
        () => false,
      );
    }
    if (path.dirname(folder) === folder) return false;
  }
}
