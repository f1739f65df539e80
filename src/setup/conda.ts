/** An environment by way of conda, mamba or micromamba. */
import { shown } from "../base/shown.ts";
import { constants } from "node:fs";
import { access, rm, stat } from "node:fs/promises";
import { IsotorchError } from "../errors.ts";
import { ENVIRONMENT_NAME } from "../worker/candidates.ts";
import { quoted, runCommand } from "../worker/command.ts";
import { condaPython, isCondaPrefix } from "../worker/conda.ts";
import { parseRecord } from "../base/json.ts";
import { findManager, type Manager } from "../worker/managers.ts";
import { readPrefix, refusalOf } from "../worker/prefix.ts";
import type { Surroundings } from "../worker/surroundings.ts";
import { readMaking } from "./making.ts";
import type { Machine } from "./machine.ts";
import { type CondaPlan, notOpen, type Plan, type Step } from "./plan.ts";
import { chooseVariant, environmentFile, type Variant } from "./variant.ts";

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
    why: `${why}; ${environmentFile(variant).split(/[\\/]/).at(-1)}, because ${because}`.replace(
      ", because asked for",
      "",
    ),
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

function stepOf({ manager, variant, prefix, verb }: CondaPlan): Step {
  const words = manager.kind === "micromamba" ? [verb] : ["env", verb];
  // `env update` took no prefix for years; the name means the same, because the prefix was looked up by it.
  const isByName = verb === "update" && manager.kind !== "micromamba";
  const place = isByName ? ["-n", ENVIRONMENT_NAME] : ["-p", prefix];
  const args = [...words, ...place, "-f", environmentFile(variant)];
  // conda tells its progress as JSON; mamba and micromamba tell it as text alone.
  if (manager.kind === "conda") args.push("--json");
  // The flag for "yes" differs between the tools and their ages; the variables do not.
  return { file: manager.file, args, env: { CONDA_ALWAYS_YES: "true", MAMBA_ALWAYS_YES: "true" } };
}

async function placeFor(manager: Manager, variant: Variant, at: Surroundings): Promise<CondaPlan> {
  const { path } = at;
  const folders = await environmentFolders(manager, at);
  const prefixes = folders.map((folder) => path.join(folder, ENVIRONMENT_NAME));
  const making = await readMaking(at);
  for (const prefix of prefixes) {
    if (!(await stat(prefix).catch(() => undefined))) continue;
    const isHalfMade = making?.prefix === prefix && making.verb === "create" && !(await isWhole(prefix, at));
    if (isHalfMade) return { manager, variant, prefix, verb: "create", removes: prefix };
    if (await isCondaPrefix(prefix, at))
      return { manager, variant, prefix, verb: "update", removes: undefined };
    throw new IsotorchError(
      "SETUP_FAILED",
      `${shown(prefix)} is in the way: it is not an environment of conda.`,
      {
        hint: `Look at it and move it away, or use another way: isotorch setup --via venv`,
      },
    );
  }
  for (const prefix of prefixes) {
    if (await canMake(prefix, at)) return { manager, variant, prefix, verb: "create", removes: undefined };
  }
  throw new IsotorchError("SETUP_FAILED", `None of conda's folders can be written: ${folders.join(", ")}.`, {
    hint: "Name one that can: CONDA_ENVS_PATH=/path/to/envs isotorch setup --via conda",
  });
}

async function environmentFolders({ file, kind }: Manager, at: Surroundings): Promise<string[]> {
  const result = await runCommand(file, ["info", "--json"], { env: at.environ, timeoutMs: 60_000 });
  const info = result.code === 0 ? parseRecord(result.stdout) : {};
  // conda and mamba 1 say envs_dirs, micromamba and mamba 2 say it in words.
  const folders = info["envs_dirs"] ?? info["envs directories"];
  const known = (Array.isArray(folders) ? folders.map(String) : []).filter((folder) =>
    at.path.isAbsolute(folder),
  );
  if (known.length > 0) return known;
  const said = result.stderr.trim().split("\n").at(-1);
  throw new IsotorchError(
    "SETUP_FAILED",
    `${shown(file)} does not say where its environments are${said ? ` (${said})` : ""}.`,
    {
      hint: `Run it by hand to see why: ${quoted(file)} info --json. Is this ${kind} whole?`,
    },
  );
}

/** Whether everything is there after all: the setup ended between the last package and its own last line. */
async function isWhole(prefix: string, at: Surroundings): Promise<boolean> {
  const contents = await readPrefix(prefix, at);
  return contents !== undefined && contents.missing?.length === 0 && refusalOf(contents) === undefined;
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
