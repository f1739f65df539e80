/** The stages of a text on its way through the network, joined to whole arrays. */
import type { InspectedStage, StageArray } from "../tasks/inspect.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** Another token whose embedding is like a token's. */
export interface NearToken {
  readonly id: number;
  /** The token as text for people: a byte that is part of a character as `<E7>`. */
  readonly text: string;
  /** Of the two embeddings: 1 where they point the same way, 0 where they have nothing in common. */
  readonly cosine: number;
}

/** What the network makes of a text; what was not asked for is absent. All float32, in C order. */
export interface Inspection {
  /** The tokens as text for people: a byte that is part of a character as `<E7>`. */
  readonly tokens: readonly string[];
  readonly ids: readonly number[];
  /** [tokens, width] */
  readonly tokenEmbeddings?: StageArray;
  /** [tokens, width] */
  readonly positionEmbeddings?: StageArray;
  /** For each token of the text the eight other tokens of the vocabulary whose embeddings are most like its own, nearest first. */
  readonly nearest?: readonly (readonly NearToken[])[];
  /** [layers, heads, tokens, tokens]: `data[((layer * heads + head) * tokens + from) * tokens + to]` */
  readonly attention?: StageArray;
  /** [layers, tokens, width] */
  readonly hidden?: StageArray;
  /** [tokens, width] */
  readonly norm?: StageArray;
  /** [tokens, vocabulary] */
  readonly logits?: StageArray;
}

/** By layer. */
const OF_LAYERS: readonly string[] = ["attention", "hidden"];

export async function joined(
  stages: AsyncIterable<InspectedStage>,
  tokenizer: Tokenizer,
  onStage: () => void,
): Promise<Omit<Inspection, "tokens" | "ids">> {
  const found = new Map<string, StageArray[]>();
  let nearest: Inspection["nearest"];
  for await (const stage of stages) {
    onStage();
    nearest ??= stage.nearest?.map((tokens) =>
      tokens.map(({ id, cosine }) => ({ id, text: tokenizer.textOf(id), cosine })),
    );
    for (const [name, array] of Object.entries(stage.arrays)) {
      const arrays = found.get(name) ?? [];
      arrays.push(array);
      found.set(name, arrays);
    }
  }
  const arrays = [...found].map(([name, all]) => [name, OF_LAYERS.includes(name) ? stacked(all) : all[0]]);
  return { ...Object.fromEntries(arrays), ...(nearest && { nearest }) };
}

function stacked(arrays: readonly StageArray[]): StageArray {
  const shape = arrays[0]?.shape ?? [];
  const size = shape.reduce((product, length) => product * length, 1);
  const data = new Float32Array(size * arrays.length);
  for (const [at, array] of arrays.entries()) data.set(array.data, at * size);
  return { data, shape: [arrays.length, ...shape] };
}
