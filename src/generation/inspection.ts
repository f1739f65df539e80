/** The stages of a text on its way through the network, joined to whole arrays. */
import type { InspectedStage, StageArray } from "../tasks/inspect.ts";

/** What the network makes of a text; what was not asked for is absent. All float32, in C order. */
export interface Inspection {
  /** The tokens as text for people: a byte that is part of a character as `<E7>`. */
  readonly tokens: readonly string[];
  readonly ids: readonly number[];
  /** [tokens, width] */
  readonly tokenEmbeddings?: StageArray;
  /** [tokens, width] */
  readonly positionEmbeddings?: StageArray;
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
  onStage: () => void,
): Promise<Omit<Inspection, "tokens" | "ids">> {
  const found = new Map<string, StageArray[]>();
  for await (const stage of stages) {
    onStage();
    for (const [name, array] of Object.entries(stage)) {
      const arrays = found.get(name) ?? [];
      arrays.push(array);
      found.set(name, arrays);
    }
  }
  return Object.fromEntries(
    [...found].map(([name, arrays]) => [name, OF_LAYERS.includes(name) ? stacked(arrays) : arrays[0]]),
  );
}

function stacked(arrays: readonly StageArray[]): StageArray {
  const shape = arrays[0]?.shape ?? [];
  const size = shape.reduce((product, length) => product * length, 1);
  const data = new Float32Array(size * arrays.length);
  for (const [at, array] of arrays.entries()) data.set(array.data, at * size);
  return { data, shape: [arrays.length, ...shape] };
}
