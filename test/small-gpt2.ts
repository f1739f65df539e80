/** A GPT-2 of 100 kB with a vocabulary of its own: a folder as transformers' `save_pretrained` writes it, made anew each time. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "../src/text/tokenizer.ts";

export const SMALL = { layers: 2, heads: 2, width: 16, context: 64, vocabulary: 300 } as const;

const CORPUS =
  "In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was " +
  "upon the face of the deep. And the Spirit of God moved upon the face of the waters. And God said, Let there be light: " +
  "and there was light. And God saw the light, that it was good: and God divided the light from the darkness.";

/** Writes the files into a folder. Its texts mean nothing. */
export async function writeSmallGpt2(folder: string): Promise<void> {
  const { layers, heads, width, context, vocabulary } = SMALL;
  const tokenizer = Tokenizer.train(CORPUS, { vocabSize: vocabulary, specialTokens: ["<|endoftext|>"] });
  if (tokenizer.vocabSize !== vocabulary) throw new Error(`the corpus gives ${tokenizer.vocabSize} tokens`);
  await tokenizer.save(folder);
  const config = {
    model_type: "gpt2",
    n_layer: layers,
    n_head: heads,
    n_embd: width,
    n_positions: context,
    vocab_size: vocabulary,
    activation_function: "gelu_new",
    layer_norm_epsilon: 1e-5,
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeFileSync(join(folder, "model.safetensors"), safetensors(shapes()));
}

function shapes(): Record<string, readonly number[]> {
  const { layers, width, context, vocabulary } = SMALL;
  const ofLayer = (layer: number): [string, readonly number[]][] =>
    Object.entries({
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
    }).map(([name, shape]) => [`h.${layer}.${name}`, shape]);
  return Object.fromEntries([
    ["wte.weight", [vocabulary, width]],
    ["wpe.weight", [context, width]],
    ...Array.from({ length: layers }, (_, layer) => ofLayer(layer)).flat(),
    ["ln_f.weight", [width]],
    ["ln_f.bias", [width]],
  ]);
}

function safetensors(tensors: Readonly<Record<string, readonly number[]>>): Uint8Array {
  const header: Record<string, object> = {};
  const values: number[] = [];
  // Numerical Recipes' generator: the same bytes everywhere.
  let state = 7;
  const drawn = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 32 - 0.5) * 0.8;
  };
  for (const [name, shape] of Object.entries(tensors)) {
    const begin = 4 * values.length;
    const size = shape.reduce((product, length) => product * length, 1);
    const isNorm = /ln_.\.weight$/.test(name);
    for (let at = 0; at < size; at += 1) values.push(isNorm ? 1 : drawn());
    header[name] = { dtype: "F32", shape, data_offsets: [begin, 4 * values.length] };
  }
  const text = JSON.stringify(header);
  const json = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const file = new Uint8Array(8 + json.length + 4 * values.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  file.set(new Uint8Array(Float32Array.from(values).buffer), 8 + json.length);
  return file;
}
