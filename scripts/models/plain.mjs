// One network's answers by torchvision alone, with seeded weights.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { knownModel } from "../../dist/checkpoints/table.js";

const IMAGES = ["landscape.jpg", "balloons.jpg", "dog.webp", "fruit.png"].map((name) =>
  fileURLToPath(new URL(`../../examples/images/${name}`, import.meta.url)),
);
const PLAIN = fileURLToPath(new URL("plain.py", import.meta.url));
/** Where the BLAS library is the reference, each picture takes seconds: fewer of them show the same. */
const TRANSFORMERS = /^(?:vit|swin|maxvit)/;
const run = promisify(execFile);

/**
 * @param model torchvision's name.
 * @param options `python`, `threads`, `cache` (a folder for its weights), `signal`, `most` pictures.
 * @returns the `file` of its weights, the `images`, and the SHA-256 of the `logits` and of the `embedding` of each.
 */
export async function plainAnswers(model, { python, threads, cache, signal, most = IMAGES.length }) {
  const images = IMAGES.slice(0, TRANSFORMERS.test(model) ? Math.min(2, most) : most);
  const flags = ["--cache", cache, "--threads", String(threads), "--head", knownModel(model).head.name];
  const args = ["-X", "utf8", "-B", PLAIN, model, ...flags, ...images];
  const { stdout } = await run(python, args, { signal });
  return { ...JSON.parse(stdout), images };
}

/** Of the bytes of an array. */
export function sha256({ buffer, byteOffset, byteLength }) {
  return createHash("sha256").update(new Uint8Array(buffer, byteOffset, byteLength)).digest("hex");
}
