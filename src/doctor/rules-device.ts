/** Rules about the device that computes. */
import { isOlder } from "../python/probe.ts";
import type { Findings } from "./findings.ts";
import { bySetup, type Found, type Rule } from "./rule.ts";

/** The oldest drivers that run a CUDA of this major version, by NVIDIA's table of minor version compatibility. */
const OLDEST_DRIVER: Readonly<Record<string, { readonly linux: string; readonly win32: string }>> = {
  11: { linux: "450.80", win32: "452.39" },
  12: { linux: "525.60", win32: "527.41" },
  13: { linux: "580.65", win32: "580.88" },
};

const wantsGpu = ({ device }: Findings): boolean => device.startsWith("cuda");
const levelFor = (findings: Findings): "error" | "warning" => (wantsGpu(findings) ? "error" : "warning");

const cpuBuild: Rule = {
  id: "cpu-build",
  area: "device",
  level: "error",
  looksAt: "a PyTorch without CUDA where a GPU is there or was asked for",
  find: (findings) => {
    const { examination, gpu, device } = findings;
    if (!examination?.cuda || examination.cuda.builtFor !== null || !(gpu || wantsGpu(findings)))
      return undefined;
    const meant = wantsGpu(findings) ? `${device} was asked for` : `there is a ${gpu?.name}`;
    return {
      sentence: `This is a CPU build of PyTorch, yet ${meant}.`,
      level: device === "cpu" ? "warning" : levelFor(findings),
      ...(gpu ? bySetup("--via", "conda") : bySetup("--via", "conda", "--variant", "cu113")),
      explains: ["kernel"],
    };
  },
};

const driver: Rule = {
  id: "driver-too-old",
  area: "device",
  level: "error",
  looksAt: "the driver's version against the CUDA that PyTorch was built for",
  find: (findings) => {
    if (!isDriverTooOld(findings)) return undefined;
    const { examination, gpu } = findings;
    const builtFor = examination?.cuda?.builtFor ?? "";
    const has = gpu ? `The driver ${gpu.driver}` : "The NVIDIA driver";
    const needed = oldestDriver(builtFor, findings) ?? "a newer one";
    const runs11 = gpu && !isOlder(gpu.driver, oldestDriver("11", findings) ?? "0");
    return {
      sentence: `${has} is too old for CUDA ${builtFor}, which needs ${needed} or later.`,
      level: levelFor(findings),
      explains: ["kernel"],
      ...(runs11 && !builtFor.startsWith("11.")
        ? bySetup("--via", "conda", "--variant", "cu113")
        : { mend: "Install a newer driver from https://www.nvidia.com/drivers, then restart the machine." }),
    };
  },
};

function isDriverTooOld(findings: Findings): boolean {
  const { examination, gpu } = findings;
  const cuda = examination?.cuda;
  if (!cuda?.builtFor || cuda.available) return false;
  if (cuda.warnings.some((text) => /driver on your system is too old/i.test(text))) return true;
  const needed = oldestDriver(cuda.builtFor, findings);
  return gpu !== undefined && needed !== undefined && isOlder(gpu.driver, needed);
}

function oldestDriver(cuda: string, { platform }: Findings): string | undefined {
  return OLDEST_DRIVER[cuda.split(".")[0] ?? ""]?.[platform === "win32" ? "win32" : "linux"];
}

const noDevice: Rule = {
  id: "no-device",
  area: "device",
  level: "error",
  looksAt: "a CUDA build that finds no device at all",
  find: (findings) => {
    const { examination, gpu, device } = findings;
    if (!examination?.cuda?.builtFor || examination.cuda.available || device === "cpu") return undefined;
    if (isDriverTooOld(findings)) return undefined;
    if (!gpu && !wantsGpu(findings)) return undefined;
    const why = examination.cuda.warnings[0]?.split("\n")[0];
    return {
      sentence: `PyTorch was built for CUDA ${examination.cuda.builtFor} and finds no device${why ? ` (${why})` : ""}.`,
      level: levelFor(findings),
      mend: gpu ? "See whether CUDA_VISIBLE_DEVICES hides it, and what this says: nvidia-smi" : "nvidia-smi",
      explains: ["kernel"],
    };
  },
};

const noKernelImage: Rule = {
  id: "no-kernel-image",
  area: "device",
  level: "error",
  looksAt: "the GPU's architecture (sm_XX) against those that PyTorch was built for",
  find: (findings, errors): Found | undefined => {
    const { examination } = findings;
    const [capability] = examination?.cuda?.capabilities ?? [];
    const known = examination?.cuda?.archList ?? [];
    if (capability === undefined || known.length === 0) return undefined;
    const told = /no kernel image/i.test(errors["kernel"] ?? "");
    if (!told && runsOn(capability, known)) return undefined;
    const name = examination?.cuda?.devices[0] ?? "The GPU";
    const oldest = Math.min(...known.map((arch) => Number(/\d+/.exec(arch)?.[0] ?? Infinity)));
    const isTooOld = Number(capability.replace(".", "")) < oldest;
    return {
      sentence: `${name} is sm_${capability.replace(".", "")}, and this PyTorch was built for ${known.join(", ")}.`,
      level: levelFor(findings),
      ...bySetup("--via", "conda", "--variant", isTooOld ? "cu113" : "cuda"),
      explains: ["kernel"],
    };
  },
};

const kernelFailed: Rule = {
  id: "kernel-failed",
  area: "device",
  level: "error",
  looksAt: "a convolution that is computed on the device",
  find: ({ device }, errors) =>
    "kernel" in errors
      ? {
          sentence: `Computing on ${device} fails: ${errors["kernel"]?.split("\n")[0] ?? ""}.`.replace(
            /\.\.$/,
            ".",
          ),
          mend: device === "cpu" ? "npx isotorch setup" : "Use the CPU: --device cpu",
          explains: ["kernel"],
        }
      : undefined,
};

/** Machine code runs on the same major version from its minor on; `compute_XX` is compiled for anything newer. */
function runsOn(capability: string, known: readonly string[]): boolean {
  const [major = 0, minor = 0] = capability.split(".").map(Number);
  return known.some((arch) => {
    const number = Number(/\d+/.exec(arch)?.[0]);
    const [hasMajor, hasMinor] = [Math.floor(number / 10), number % 10];
    if (arch.startsWith("compute_")) return major * 10 + minor >= number;
    return hasMajor === major && hasMinor <= minor;
  });
}

export const DEVICE_RULES: readonly Rule[] = [cpuBuild, driver, noDevice, noKernelImage, kernelFailed];
