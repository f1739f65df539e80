/** What a network makes of a text on its way through it: one part for each stage. */
import { floatsOf, frameOf, integersOf } from "../protocol/frames.ts";
import type { Inspected } from "../protocol/messages.ts";
import { idsFrame } from "./generate.ts";
import type { Reply, Task } from "./task.ts";

export interface ToInspect {
  /** Ids of tokens, at least one. */
  readonly prompt: readonly number[];
  /** At least one. */
  readonly include: readonly Inspected[];
}

/** float32, in C order. */
export interface StageArray {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** A token, and how nearly its embedding points the same way as another one's: 1 for the same, -1 for the opposite. */
export interface NearId {
  readonly id: number;
  readonly cosine: number;
}

/** What one stage has; nothing at the end. */
export interface InspectedStage {
  /**
   * By their names: `tokenEmbeddings` and `positionEmbeddings` [T, D] first, then for each layer `attention` [head, T, T] and
   * `hidden` [T, D], then `norm` [T, D] and `logits` [T, vocabulary].
   */
  readonly arrays: Readonly<Record<string, StageArray>>;
  /** With the first stage: for each token of the prompt the nearest other ones. */
  readonly nearest?: readonly (readonly NearId[])[];
}

export const inspect: Task<"inspect", ToInspect, InspectedStage> = {
  isReplayable: true,
  contentOf: ({ prompt, include }) => ({
    fields: { include },
    frames: [idsFrame("prompt", prompt)],
    apart: true,
  }),
  partOf: (reply) => {
    const others = reply.frames.filter(({ name }) => !NEAREST.includes(name));
    const arrays = others.map((frame) => [frame.name, { data: floatsOf(frame), shape: frame.shape }]);
    return {
      arrays: Object.fromEntries(arrays) as InspectedStage["arrays"],
      ...(others.length < reply.frames.length && { nearest: nearestOf(reply) }),
    };
  },
};

const NEAREST: readonly string[] = ["nearest", "nearestCosines"];

function nearestOf(reply: Reply): NearId[][] {
  const ids = frameOf(reply, "nearest");
  const [tokens = 0, each = 0] = ids.shape;
  const cosines = floatsOf(frameOf(reply, "nearestCosines"));
  const all = integersOf(ids).map((id, at) => ({ id, cosine: cosines[at] ?? Number.NaN }));
  return Array.from({ length: tokens }, (_, token) => all.slice(token * each, (token + 1) * each));
}
