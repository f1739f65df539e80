/** The example of a network of one's own, with pictures that are made here in place of Fashion-MNIST's. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PYTHON } from "./python.ts";

const EXAMPLE = fileURLToPath(new URL("../examples/fine-tune/", import.meta.url));
const CLASSES = 10;
const SIDE = 28;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fine-tune-test-"));
  writeData("train", 200);
  writeData("t10k", 24);
  example(PYTHON, "train.py", folder, "--data", folder, "--epochs", "1");
  example(PYTHON, "fashion.py", join(folder, "t10k"), "--data", folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a network that was trained, saved and read the ordinary way gives plain PyTorch's logits, bit for bit", () => {
  const plain = example(PYTHON, "plain.py", folder);
  const ours = example(process.execPath, "evaluate.mjs", folder);
  expect(ours).toContain("the file is shufflenet_v2_x0_5's with 10 classes");
  expect(ours).toContain("all 24 x 10 logits have the bits of plain PyTorch");
  const accuracy = /top-1 .*$/m;
  expect(accuracy.exec(ours)?.[0]).toBe(accuracy.exec(plain)?.[0]);
});

test("a logit that differs in one bit is found", () => {
  const file = join(folder, "logits.bin");
  const logits = readFileSync(file);
  logits[17] = (logits[17] ?? 0) ^ 1;
  writeFileSync(file, logits);
  const { status, stdout } = run(process.execPath, "evaluate.mjs", folder);
  expect(stdout).toContain("1 of 24 pictures DIFFER");
  expect(status).toBe(1);
});

function run(
  file: string,
  script: string,
  ...args: string[]
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(file, [join(EXAMPLE, script), ...args], {
    encoding: "utf8",
    env: { ...process.env, ISOTORCH_PYTHON: PYTHON },
  });
}

function example(file: string, script: string, ...args: string[]): string {
  const { status, stdout, stderr } = run(file, script, ...args);
  expect(status, stderr).toBe(0);
  return stdout;
}

/** Files as Fashion-MNIST has them: a bar at another height for each class. */
function writeData(part: string, count: number): void {
  const labels = Buffer.from(Array.from({ length: count }, (_, at) => at % CLASSES));
  const pictures = Buffer.alloc(count * SIDE * SIDE);
  for (const [at, label] of labels.entries())
    pictures.fill(255 - at, (at * SIDE + 2 * label) * SIDE, (at * SIDE + 2 * label + 5) * SIDE);
  write(`${part}-images-idx3-ubyte.gz`, [count, SIDE, SIDE], pictures);
  write(`${part}-labels-idx1-ubyte.gz`, [count], labels);
}

function write(name: string, sizes: readonly number[], data: Buffer): void {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.set([0, 0, 8, sizes.length]);
  for (const [at, size] of sizes.entries()) header.writeInt32BE(size, 4 + 4 * at);
  writeFileSync(join(folder, name), gzipSync(Buffer.concat([header, data])));
}
