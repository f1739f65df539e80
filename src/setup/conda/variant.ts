/** The three conda environments that the worker runs in, and which of them a machine wants. */
import { fileURLToPath } from "node:url";
import { whichCommand } from "../../python/candidates.ts";
import { runCommand } from "../../python/command.ts";
import type { Surroundings } from "../../python/surroundings.ts";
import type { Machine } from "../machine.ts";

/** `cu113`: the tutorial's CUDA 11.3; `cuda`: a current CUDA 12; `cpu`: no GPU. */
export const VARIANTS = ["cu113", "cuda", "cpu"] as const;
export type Variant = (typeof VARIANTS)[number];

/** What the conda family is told of a variant. */
interface Recipe {
  /** The environment file, for people; the other two say the same. */
  readonly file: string;
  /** Its dependencies, one a line: what every conda since 4.12, mamba and micromamba read by `--file`. */
  readonly specs: string;
  /** Its channels, first first. */
  readonly channels: readonly string[];
}

const RECIPES: Readonly<Record<Variant, Recipe>> = {
  cu113: { file: "env.yml", specs: "env.specs.txt", channels: ["pytorch", "conda-forge"] },
  cuda: { file: "env.cuda.yml", specs: "env.cuda.specs.txt", channels: ["conda-forge"] },
  cpu: { file: "env.cpu.yml", specs: "env.cpu.specs.txt", channels: ["conda-forge"] },
};

/** CUDA 11.3 has kernels for sm_37 to sm_86, which sm_89 runs too. */
const NEWEST_FOR_CU113 = 8.9;

/** A choice with its reason, one clause. */
export interface ChosenVariant {
  readonly variant: Variant;
  readonly why: string;
}

/** What a variant is made from: absolute paths of files that are part of the package. */
export function recipeOf(variant: Variant): Recipe {
  const { file, specs, channels } = RECIPES[variant];
  return { file: inPackage(file), specs: inPackage(specs), channels };
}

function inPackage(name: string): string {
  return fileURLToPath(new URL(`../../../${name}`, import.meta.url));
}

/** Whether any of the variants was built for this kind of machine. */
export function hasBuilds({ at: { platform }, arch }: Machine): boolean {
  const systems: readonly string[] = ["linux", "win32", "darwin"];
  return systems.includes(platform) && (arch === "x64" || (arch === "arm64" && platform !== "win32"));
}

/** As asked; else by the first NVIDIA GPU: the tutorial's CUDA where it has kernels for it, a current one for newer GPUs. */
export async function chooseVariant(
  asked: Variant | undefined,
  { at, arch }: Machine,
): Promise<ChosenVariant> {
  if (asked) return { variant: asked, why: "asked for" };
  if (arch !== "x64" || at.platform === "darwin") {
    return { variant: "cpu", why: `there are no CUDA builds for ${at.platform} ${arch}` };
  }
  const gpu = await firstGpu(at);
  if (!gpu) return { variant: "cpu", why: "nvidia-smi finds no NVIDIA GPU" };
  const sm = `sm_${gpu.capability.replace(".", "")}`;
  return Number(gpu.capability) <= NEWEST_FOR_CU113
    ? { variant: "cu113", why: `${gpu.name} is ${sm}` }
    : { variant: "cuda", why: `${gpu.name} is ${sm}, which CUDA 11.3 does not know` };
}

/** A GPU as `nvidia-smi` tells of it. */
export interface Gpu {
  readonly name: string;
  /** Such as `6.1`. */
  readonly capability: string;
  /** Such as `472.39`. */
  readonly driver: string;
}

/** The first GPU that `nvidia-smi` lists; `undefined` where there is no driver or no GPU. */
export async function firstGpu(at: Surroundings): Promise<Gpu | undefined> {
  const tool = await whichCommand("nvidia-smi", at);
  if (!tool) return undefined;
  const query = ["--query-gpu=name,compute_cap,driver_version", "--format=csv,noheader"];
  const { code, stdout } = await runCommand(tool, query, { env: at.environ, timeoutMs: 10_000 });
  const [name, capability, driver] = (stdout.split("\n")[0] ?? "").split(",").map((cell) => cell.trim());
  const isGpu = code === 0 && name && capability && /^\d+\.\d+$/.test(capability) && driver;
  return isGpu ? { name, capability, driver } : undefined;
}
