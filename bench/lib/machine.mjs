// Where the figures come from; it stands above every table.
import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os";
import sharp from "sharp";

/**
 * @param python what the plain PyTorch process says of itself. @param info the worker's. @param ort a version or undefined.
 */
export function describeMachine({ load, python, info, ort, command }) {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    "load at start": load.toFixed(2),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${platform()} ${arch()} ${release()}`,
    isotorch: info.package,
    node: process.versions.node,
    python: python.python,
    torch: python.torch,
    torchvision: python.torchvision,
    oneDNN: python.onednn,
    pillow: python.pillow,
    sharp: sharp.versions.sharp,
    libvips: sharp.versions.vips,
    onnxruntime: ort ?? "not measured",
    threads: info.threads,
    weights: `${info.weights.name}${info.weights.trained === false ? " (untrained)" : ""}, sha256 ${info.weights.sha256.slice(0, 12)}`,
    command,
  };
}

/** Load average of the last minute: above the number of cores the figures are the neighbours'. */
export function loadNow() {
  return loadavg()[0] ?? 0;
}

/** The largest resident size that a process ever had, MiB; Linux only. */
export function peakOf(pid) {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) / 1024;
}
