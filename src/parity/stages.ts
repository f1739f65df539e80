/** The rungs of the ladder, and what one side leaves on each of them. */
import type { PreparedBy } from "../classification/handoff.ts";
import type { StageArray } from "./compare/array.ts";

/** The tutorial's steps, in its order, and before the logits what they are made of. A stage that differs explains every later one. */
export const STAGES = [
  "decoded",
  "resized",
  "cropped",
  "toTensor",
  "normalized",
  "embedding",
  "logits",
  "percentages",
  "order",
  "labels",
] as const;
export type Stage = (typeof STAGES)[number];

/** The stages that are arrays; labels are texts. */
export type ArrayStage = Exclude<Stage, "labels">;

/** What one side made of one picture. */

/** The side would not take the picture. */
export interface Refusal {
  readonly kind: "refused";
  /** A code of {@link IsotorchError} on our side, the name of Python's exception on the other. */
  readonly code: string;
  readonly message: string;
}

export interface Traced {
  readonly kind: "traced";
  readonly arrays: Readonly<Partial<Record<ArrayStage, StageArray>>>;
  /** The label of each class; absent where no network ran. */
  readonly labels?: readonly string[];
  /** Why a stage is not among the arrays. */
  readonly skipped: Readonly<Partial<Record<Stage, string>>>;
}

/** What our side leaves besides. */
export interface OurTrace extends Traced {
  /**
   * The normalised tensor of the steps one by one, where `arrays.normalized` came from the fused path. Both must have
   * the same bits.
   */
  readonly stepwise?: StageArray;
  /** Who made of the picture what the network saw. @default "node" */
  readonly by?: PreparedBy;
}

/** The largest resized picture that is looked at, bytes: 1 × 5000 pixels become 983 MB on the way to their crop. */
export const LARGEST_RESIZED: number = 64 * 1024 * 1024;
