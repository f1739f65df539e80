/** The network of texts that ships, read without Python. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { knownTextModel } from "../../src/checkpoints/text/table.ts";
import { resolveTextCheckpoint } from "../../src/checkpoints/text/resolve.ts";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { readSafetensors } from "../safetensors.ts";

const KNOWN = knownTextModel("tiny");
const { path, config, tokenizer, sha256, integrity, trained } = await resolveTextCheckpoint("pretrained", {
  model: "tiny",
});
const FILE = readFileSync(path);
const CONFIG = JSON.parse(readFileSync(config, "utf8")) as Record<string, number>;
const VOCABULARY = await Tokenizer.load(tokenizer ?? "");
const FACTS = readFileSync(new URL("../../models/tiny/README.md", import.meta.url), "utf8");

test("is the file that the table pins, in every byte", () => {
  expect({ sha256, integrity, trained }).toEqual({
    sha256: KNOWN.sha256,
    integrity: "pinned",
    trained: true,
  });
  expect(createHash("sha256").update(FILE).digest("hex")).toBe(KNOWN.sha256);
  expect(FILE).toHaveLength(KNOWN.bytes ?? 0);
  expect(FACTS).toContain(KNOWN.sha256);
});

test("has GPT-2's tensors of the shapes that its configuration says, each value a number", () => {
  const tensors = readSafetensors(FILE);
  expect(Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]))).toEqual(
    shapesOf(CONFIG),
  );
  let parameters = 0;
  for (const [name, { dtype, shape, data }] of tensors) {
    expect(dtype, name).toBe("F16");
    const bytes = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const halves = Uint16Array.from({ length: data.length / 2 }, (_, at) => bytes.getUint16(2 * at, true));
    expect(halves, name).toHaveLength(shape.reduce((product, size) => product * size));
    expect(
      halves.every((half) => (half & 0x7c00) !== 0x7c00),
      name,
    ).toBe(true);
    expect(new Set(halves).size, name).toBeGreaterThan(halves.length / 100);
    parameters += halves.length;
  }
  expect(parameters).toBe(KNOWN.parameters);
});

test("has a vocabulary that fits: no special tokens, which its configuration does not name either", async () => {
  expect(VOCABULARY.vocabSize).toBe(CONFIG["vocab_size"]);
  expect(CONFIG).toMatchObject({
    model_type: "gpt2",
    n_positions: 128,
    bos_token_id: null,
    eos_token_id: null,
  });
  expect(VOCABULARY.specialTokens).toEqual({});
  // The same by either of its files.
  const pair = await Tokenizer.load(join(tokenizer ?? "", "merges.txt"));
  expect(pair.merges).toEqual(VOCABULARY.merges);
  const text = "In the beginning God created the heaven and the earth.\n";
  const ids = VOCABULARY.encode(text);
  expect(ids).toHaveLength(13);
  expect(VOCABULARY.decode(ids)).toBe(text);
  expect(VOCABULARY.decode(VOCABULARY.encode("春 🐕"))).toBe("春 🐕");
});

/** As in transformers' `GPT2Model`; [in, out] where it has a `Conv1D`. */
function shapesOf({
  n_layer: layers = 0,
  n_embd: width = 0,
  n_positions: context = 0,
  vocab_size: vocabulary = 0,
}: Record<string, number>): Record<string, number[]> {
  const layer = {
    "ln_1.weight": [width],
    "ln_1.bias": [width],
    "attn.c_attn.weight": [width, 3 * width],
    "attn.c_attn.bias": [3 * width],
    "attn.c_proj.weight": [width, width],
    "attn.c_proj.bias": [width],
    "ln_2.weight": [width],
    "ln_2.bias": [width],
    "mlp.c_fc.weight": [width, 4 * width],
    "mlp.c_fc.bias": [4 * width],
    "mlp.c_proj.weight": [4 * width, width],
    "mlp.c_proj.bias": [width],
  };
  const named = Array.from({ length: layers }, (_, at) =>
    Object.entries(layer).map(([name, shape]) => [`h.${at}.${name}`, shape] as const),
  );
  return {
    "wte.weight": [vocabulary, width],
    "wpe.weight": [context, width],
    ...Object.fromEntries(named.flat()),
    "ln_f.weight": [width],
    "ln_f.bias": [width],
  };
}
