// onnxruntime-node and the exported network: installed and made here, never with the product.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "./pictures.mjs";

const BENCH = fileURLToPath(new URL("..", import.meta.url));
const PACKAGE = join(BENCH, "node_modules/onnxruntime-node/package.json");

/** @returns `{ version }`, or `{ reason }` in one sentence. */
export function installRivals() {
  if (!existsSync(PACKAGE)) {
    process.stderr.write("> Installing the rivals into bench/node_modules\n");
    // Its install script downloads CUDA libraries; what the CPU needs is in the package.
    const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    const windows = process.platform === "win32";
    const { status, stderr } = spawnSync(npm, args, { cwd: BENCH, encoding: "utf8", shell: windows });
    if (status !== 0 || !existsSync(PACKAGE)) {
      const why = /npm error .*(?:ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|network).*/.exec(stderr ?? "");
      return {
        reason: `onnxruntime-node could not be installed (${why?.[0] ?? `npm ended with ${status}`})`,
      };
    }
  }
  return { version: JSON.parse(readFileSync(PACKAGE, "utf8")).version };
}

/** The same checkpoint as an ONNX file. @returns its path, or throws with what Python said. */
export function exportNetwork({ executable, weights }) {
  const path = join(cacheFolder(), `resnet101-${weights.sha256.slice(0, 16)}.onnx`);
  if (existsSync(path)) return path;
  process.stderr.write("> Exporting the network to ONNX\n");
  const script = join(BENCH, "export_onnx.py");
  const { status, stderr } = spawnSync(executable, ["-I", "-X", "utf8", script, weights.path, path], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the network could not be exported to ONNX: ${stderr.slice(-2000)}`);
  return path;
}
