/** What a network makes of a text on its way through it: one part for each stage. */
import { floatsOf } from "../protocol/frames.ts";
import type { Inspected } from "../protocol/messages.ts";
import { idsFrame } from "./generate.ts";
import type { Task } from "./task.ts";

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

/**
 * The arrays of one stage by their names: `tokenEmbeddings` and `positionEmbeddings` [T, D] first, then for each layer `attention`
 * [head, T, T] and `hidden` [T, D], then `norm` [T, D] and `logits` [T, vocabulary]; none at the end.
 */
export type InspectedStage = Readonly<Record<string, StageArray>>;

export const inspect: Task<"inspect", ToInspect, InspectedStage> = {
  isReplayable: true,
  contentOf: ({ prompt, include }) => ({
    fields: { include },
    frames: [idsFrame("prompt", prompt)],
    apart: true,
  }),
  partOf: ({ frames }) =>
    Object.fromEntries(frames.map((frame) => [frame.name, { data: floatsOf(frame), shape: frame.shape }])),
};
