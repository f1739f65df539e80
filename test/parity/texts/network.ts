/** A small network of texts with a vocabulary of its own: 2 layers of 64, 2 heads, 64 tokens of context, every value drawn. */
import { readFileSync, writeFileSync, mkdirSync, cpSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "../../../src/text/tokenizer.ts";

/** The second one undoes the first where they stand the other way round: "the" is `th e`, or `t he`. */
const MERGES = ["t h", "h e", "i n", "Ġ a", "n d", "Ġ g", "o d", "Ġa nd", "Ġg od", "r e"];

const SIZES = { n_layer: 2, n_head: 2, n_embd: 64, n_positions: 64 };

/** Writes the folder as `save_pretrained` does. */
export async function writeNetwork(folder: string): Promise<void> {
  const merges = MERGES.map((line) => line.split(" ") as [string, string]);
  const tokenizer = Tokenizer.from({ merges, specialTokens: ["<|endoftext|>"] });
  mkdirSync(folder, { recursive: true });
  await tokenizer.save(folder);
  const config = { model_type: "gpt2", vocab_size: tokenizer.vocabSize, ...SIZES };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeFileSync(join(folder, "model.safetensors"), safetensors(shapesOf(tokenizer.vocabSize)));
}

/** The same network, whose tokenizer has its first two merges the other way round. */
export async function writeSwapped(from: string, folder: string): Promise<void> {
  cpSync(from, folder, { recursive: true });
  const [first, second, ...others] = MERGES.map((line) => line.split(" ") as [string, string]);
  const vocab = JSON.parse(readFileSync(join(from, "vocab.json"), "utf8")) as Record<string, number>;
  const merges = [second!, first!, ...others];
  await Tokenizer.from({ merges, vocab, specialTokens: ["<|endoftext|>"] }).save(folder);
}

function shapesOf(vocabulary: number): [name: string, shape: number[]][] {
  const { n_embd: wide, n_layer: layers, n_positions: positions } = SIZES;
  const norm = (name: string): [string, number[]][] => [
    [`${name}.weight`, [wide]],
    [`${name}.bias`, [wide]],
  ];
  const linear = (name: string, from: number, to: number): [string, number[]][] => [
    [`${name}.weight`, [from, to]],
    [`${name}.bias`, [to]],
  ];
  const layer = (at: number): [string, number[]][] => [
    ...norm(`h.${at}.ln_1`),
    ...linear(`h.${at}.attn.c_attn`, wide, 3 * wide),
    ...linear(`h.${at}.attn.c_proj`, wide, wide),
    ...norm(`h.${at}.ln_2`),
    ...linear(`h.${at}.mlp.c_fc`, wide, 4 * wide),
    ...linear(`h.${at}.mlp.c_proj`, 4 * wide, wide),
  ];
  return [
    ["wte.weight", [vocabulary, wide]],
    ["wpe.weight", [positions, wide]],
    ...Array.from({ length: layers }, (_, at) => layer(at)).flat(),
    ...norm("ln_f"),
  ];
}

/** The same bytes at every call: numbers of a linear congruential generator. */
function safetensors(shapes: readonly (readonly [string, readonly number[]])[]): Uint8Array {
  let state = 1;
  const header: Record<string, object> = {};
  const parts: Float32Array[] = [];
  let end = 0;
  for (const [name, shape] of shapes) {
    const count = shape.reduce((product, size) => product * size, 1);
    const centre = /ln_\w+\.weight$/.test(name) ? 1 : 0;
    const values = Float32Array.from({ length: count }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return centre + 0.5 * (state / 2 ** 32 - 0.5);
    });
    header[name] = { dtype: "F32", shape, data_offsets: [end, (end += 4 * count)] };
    parts.push(values);
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...parts.map(({ buffer }) => Buffer.from(buffer))]);
}
