// Starts those that take part: isotorch, plain PyTorch, onnxruntime-node; each in a process of its own.
import { spawn } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startChild } from "./child.mjs";
import { exportNetwork } from "./rivals.mjs";

export const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));

/** isotorch with a classifier that is ready. */
export async function startOurs(options) {
  const child = startChild([process.execPath, path("ours.mjs")]);
  try {
    const { info } = await child.ask({ do: "open", options });
    const close = async () => {
      await child.ask({ do: "close" }).catch(() => undefined);
      await child.close();
    };
    return { ...child, info, close };
  } catch (error) {
    await child.close();
    throw error;
  }
}

/** isotorch with a worker that has no network: for what concerns the controller alone. */
export function startWithStub({ info, options }) {
  process.env.ISOTORCH_BENCH_PYTHON = info.executable;
  return startOurs({ ...options, python: path("stub-python") });
}

/** Plain PyTorch with the same checkpoint and the same threads. */
export async function startPlain({ info }) {
  const child = startChild([info.executable, "-I", "-X", "utf8", path("plain_server.py")]);
  const python = await child.ask({ do: "hello", threads: info.threads });
  await child.ask({ do: "load", checkpoint: info.weights.path });
  return { ...child, python };
}

export async function startOrt({ info }) {
  const child = startChild([process.execPath, path("ort.mjs")]);
  try {
    await child.ask({ do: "load", path: exportNetwork(info), threads: info.threads });
    return child;
  } catch (error) {
    await child.close();
    throw error;
  }
}

/** Both sides of the preprocessing case: on one core, with one thread. */
export async function startPreprocessors({ info }, pinned) {
  const single = { VIPS_CONCURRENCY: "1", UV_THREADPOOL_SIZE: "1", OMP_NUM_THREADS: "1" };
  const ours = startChild([...pinned, process.execPath, path("ours.mjs")], single);
  const plain = startChild([...pinned, info.executable, "-I", "-X", "utf8", path("plain_server.py")], single);
  await plain.ask({ do: "hello", threads: 1 });
  return { ours, plain };
}

/** Milliseconds from the start of a process to its first line of output. */
export function untilFirstLine([file, ...args], environment = {}) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(file, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    let first;
    let complaint = "";
    child.stdout.on("data", () => {
      first ??= performance.now() - start;
    });
    child.stderr.on("data", (chunk) => {
      complaint += chunk;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0 && first !== undefined) resolve(first);
      else reject(new Error(`${args.join(" ")} ended with ${code}: ${complaint.slice(-2000)}`));
    });
  });
}

export const plainCold = ({ info }, image) => [
  [
    info.executable,
    "-I",
    "-X",
    "utf8",
    path("plain_cold.py"),
    info.weights.path,
    path("../models/imagenet_classes.txt"),
    String(info.threads),
    image,
  ],
];

/** The checkpoint by its path and hash: it is read and checked as the known weights are. */
export const oursCold = ({ info, options }, image, root = path(".."), ...flags) => [
  [
    process.execPath,
    `${root}/dist/cli/main.js`,
    "classify",
    image,
    ...flags,
    "--weights",
    info.weights.path,
    "--sha256",
    info.weights.sha256,
    "--device",
    options.device,
  ],
];

/** A copy of the package that compares nothing. @returns its folder, which the caller removes. */
export function withoutAttestation() {
  const root = mkdtempSync(join(tmpdir(), "isotorch-bench-"));
  for (const name of ["dist", "python", "models", "package.json"]) {
    cpSync(path(`../${name}`), join(root, name), { recursive: true });
  }
  symlinkSync(path("../node_modules"), join(root, "node_modules"));
  const nothing = "({ digests: {}, resize: { horizontal: {}, vertical: {} } })";
  const own = join(root, "dist/image/attest/digests.js");
  writeFileSync(own, `export const ownDigests = async () => ${nothing};\n`);
  const theirs = join(root, "python/isotorch_worker/pictures/attest.py");
  appendFileSync(theirs, "\n\ndef attestation(*_):\n    return {}\n");
  return root;
}
