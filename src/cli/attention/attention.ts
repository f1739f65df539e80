/** Who looks at whom: the attention of one head, or the mean of a layer's heads. */
import { invalid } from "../../base/options/check.ts";
import type { StageArray } from "../../tasks/inspect.ts";

/** The attention of a whole text, [layers, heads, tokens, tokens]. */
export interface Attention {
  readonly data: Float32Array;
  readonly layers: number;
  readonly heads: number;
  readonly tokens: number;
}

/** One square of it: for each token that looks a row with its share of each that is looked at. */
export interface Square {
  readonly layer: number;
  /** Undefined for the mean of the layer's heads. */
  readonly head: number | undefined;
  readonly rows: readonly Float32Array[];
}

export function attentionOf({ data, shape }: StageArray): Attention {
  const [layers = 0, heads = 0, tokens = 0] = shape;
  return { data, layers, heads, tokens };
}

/** @throws IsotorchError `INVALID_OPTION` for a layer or head that there is not. */
export function checkPlace(
  { layers, heads }: Pick<Attention, "layers" | "heads">,
  layer: number,
  head: number | undefined,
): void {
  refuseBeyond("layer", layer, layers);
  if (head !== undefined) refuseBeyond("head", head, heads);
}

/** @param head undefined for the mean of the layer's heads. */
export function squareOf(attention: Attention, layer: number, head: number | undefined): Square {
  const { heads, tokens } = attention;
  const chosen = head === undefined ? Array.from({ length: heads }, (_, at) => at) : [head];
  const rows = Array.from({ length: tokens }, (_, from) =>
    meanOf(chosen.map((one) => rowOf(attention, layer, one, from))),
  );
  return { layer, head, rows };
}

function rowOf({ data, heads, tokens }: Attention, layer: number, head: number, from: number): Float32Array {
  const start = ((layer * heads + head) * tokens + from) * tokens;
  return data.subarray(start, start + tokens);
}

function meanOf(rows: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array()] = rows;
  if (rows.length === 1) return first;
  return first.map((_, at) => rows.reduce((sum, row) => sum + (row[at] ?? 0), 0) / rows.length);
}

function refuseBeyond(flag: string, given: number, count: number): void {
  if (given < count) return;
  throw invalid(`--${flag} is ${given}, and this network's go from 0 to ${count - 1}.`);
}
