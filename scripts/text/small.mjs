// A GPT-2 of 2 layers × 32 with seeded values and a tokenizer of its own: it says nothing, quickly.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Tokenizer } from "../../dist/tokenizer.js";

const TEXT =
  "In the beginning God created the heaven and the earth. 起初神创造天地。地是空虚混沌，渊面黑暗；神的灵运行在水面上。" +
  "🙂🙃👍🏽👩‍👩‍👧 And the earth was without form, and void; and darkness was upon the face of the deep.\n\n";
const LAYERS = 2;
const WIDTH = 32;

/** Tokens that it looks at, and tokens of its vocabulary at most. */
export const SMALL = { context: 96, vocabulary: 400 };

/**
 * Writes it into a folder as `save_pretrained` does.
 *
 * @param {string} folder
 * @returns {Promise<string>} the folder
 */
export async function smallNetwork(folder, seed = 1) {
  await mkdir(folder, { recursive: true });
  // So few words have fewer pairs: all of them are merged.
  const tokenizer = Tokenizer.train(TEXT, {
    vocabSize: SMALL.vocabulary,
    specialTokens: ["<|endoftext|>"],
  });
  await tokenizer.save(folder);
  const config = {
    model_type: "gpt2",
    n_layer: LAYERS,
    n_head: 2,
    n_embd: WIDTH,
    n_positions: SMALL.context,
    vocab_size: tokenizer.vocabSize,
    activation_function: "gelu_new",
  };
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  await writeFile(join(folder, "model.safetensors"), safetensors(shapesOf(tokenizer.vocabSize), seed));
  return folder;
}

function shapesOf(vocabulary) {
  const block = (at) => [
    [`h.${at}.ln_1.weight`, [WIDTH]],
    [`h.${at}.ln_1.bias`, [WIDTH]],
    [`h.${at}.attn.c_attn.weight`, [WIDTH, 3 * WIDTH]],
    [`h.${at}.attn.c_attn.bias`, [3 * WIDTH]],
    [`h.${at}.attn.c_proj.weight`, [WIDTH, WIDTH]],
    [`h.${at}.attn.c_proj.bias`, [WIDTH]],
    [`h.${at}.ln_2.weight`, [WIDTH]],
    [`h.${at}.ln_2.bias`, [WIDTH]],
    [`h.${at}.mlp.c_fc.weight`, [WIDTH, 4 * WIDTH]],
    [`h.${at}.mlp.c_fc.bias`, [4 * WIDTH]],
    [`h.${at}.mlp.c_proj.weight`, [4 * WIDTH, WIDTH]],
    [`h.${at}.mlp.c_proj.bias`, [WIDTH]],
  ];
  return [
    ["wte.weight", [vocabulary, WIDTH]],
    ["wpe.weight", [SMALL.context, WIDTH]],
    ...Array.from({ length: LAYERS }, (_, at) => block(at)).flat(),
    ["ln_f.weight", [WIDTH]],
    ["ln_f.bias", [WIDTH]],
  ];
}

/** A file of float32 values between -0.5 and 0.5, weights of norms about 1. */
function safetensors(shapes, seed) {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const header = {};
  const parts = [];
  let offset = 0;
  for (const [name, shape] of shapes) {
    const size = shape.reduce((product, length) => product * length, 1);
    const about = /ln_\w+\.weight$/.test(name) ? 1 : 0;
    const values = Float32Array.from({ length: size }, () => about + next());
    parts.push(Buffer.from(values.buffer));
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + 4 * size] };
    offset += 4 * size;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...parts]);
}
