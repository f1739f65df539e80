import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createGenerator } from "../../src/generation/generator.ts";
import type { TextGenerator } from "../../src/generation/generator.ts";
import { PYTHON } from "../python.ts";
import { SMALL, writeSmallGpt2 } from "../small-gpt2.ts";

let folder: string;
let generator: TextGenerator;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "nearest-test-"));
  await writeSmallGpt2(folder);
  generator = await createGenerator({ weights: folder, python: PYTHON, device: "cpu", threads: 1 });
});
afterAll(async () => {
  await generator.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The tokens' embeddings, which are the first tensor of the file. */
function embeddings(): Float32Array[] {
  const file = readFileSync(join(folder, "model.safetensors"));
  const start = 8 + Number(file.readBigUInt64LE(0));
  const { width, vocabulary } = SMALL;
  const value = (at: number): number => file.readFloatLE(start + 4 * at);
  return Array.from({ length: vocabulary }, (_, id) =>
    Float32Array.from({ length: width }, (__, at) => value(id * width + at)),
  );
}

function cosine(one: Float32Array, other: Float32Array): number {
  const dot = (a: Float32Array, b: Float32Array): number =>
    a.reduce((sum, value, at) => sum + value * b[at]!, 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}

test("each token's nearest are the eight whose embeddings have the largest cosine with its own", async () => {
  const { ids, tokens, nearest, tokenEmbeddings } = await generator.inspect("God is light, light", {
    include: { nearest: true, embeddings: true },
  });
  const all = embeddings();
  expect(nearest).toHaveLength(ids.length);
  expect(tokenEmbeddings?.shape).toEqual([ids.length, SMALL.width]);
  for (const [place, id] of ids.entries()) {
    const order = all
      .map((one, other) => ({ id: other, cosine: cosine(all[id]!, one) }))
      .filter((one) => one.id !== id)
      .toSorted((a, b) => b.cosine - a.cosine)
      .slice(0, 8);
    expect(
      nearest?.[place]?.map((near) => near.id),
      tokens[place],
    ).toEqual(order.map((near) => near.id));
    for (const [rank, near] of (nearest?.[place] ?? []).entries()) {
      expect(near.cosine).toBeCloseTo(order[rank]!.cosine, 5);
      expect(near.text).toBe(generator.tokenizer.textOf(near.id));
    }
  }
});

test("nearest alone leaves everything else out", async () => {
  const found = await generator.inspect("light", { include: { nearest: true } });
  expect(Object.keys(found).toSorted()).toEqual(["ids", "nearest", "tokens"]);
});
