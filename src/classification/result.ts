/** What a call answers, made from the worker's reply and the labels. */
import type { Pixels } from "../image/source/source.ts";
import type { Tensor } from "../image/tensor.ts";
import type { Ranking } from "../tasks/classify.ts";

/** One class with its probability. */
export interface Classification {
  readonly label: string;
  /** Position in the network's output, 0 to 999. */
  readonly index: number;
  /** Softmax, float32, 0 to 1. */
  readonly score: number;
  /** Softmax times 100 in float32, computed by torch: the number that the tutorial prints. */
  readonly percent: number;
}

export interface DetailedResult {
  /** Best first. */
  readonly top: readonly Classification[];
  /** Float32, one per class, with `include.logits`. */
  readonly logits?: Float32Array;
  /** Float32 softmax, one per class, with `include.probabilities`. */
  readonly probabilities?: Float32Array;
  /** What the network saw, float32 [1,3,224,224], with `include.tensor`. */
  readonly tensor?: Tensor;
  /** The decoded picture before any resizing, uint8 RGB, with `include.pixels`. */
  readonly pixels?: Pixels;
  /**
   * Who made of the picture what the network sees: `node`, where its bytes are attested to be those of the environment, or
   * the `worker` (or server) with its own Pillow and torchvision. Absent for a tensor.
   */
  readonly preprocessedBy?: "node" | "worker";
  /** Milliseconds by stage, with `include.timings`. */
  readonly timings?: Readonly<Record<string, number>>;
  /** How many pictures were computed together with this one, itself included, with `include.timings`. */
  readonly batch?: number;
}

/** A ranking with its labels, best first. */
export function topOf(
  { indices, scores, percentages }: Ranking,
  labels: readonly string[],
): Classification[] {
  return indices.map((index, rank) => ({
    label: labels[index] ?? "",
    index,
    score: scores[rank] ?? Number.NaN,
    percent: percentages[rank] ?? Number.NaN,
  }));
}
