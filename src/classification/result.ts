/** What a call answers, made from the worker's reply and the labels. */
import type { Pixels } from "../image/source/source.ts";
import type { Tensor } from "../image/tensor.ts";
import type { Ranking } from "../tasks/classify.ts";

/** One class with its probability. */
export interface Classification {
  readonly label: string;
  /** Position in the network's output, from 0. */
  readonly index: number;
  /** Softmax, or sigmoid with `activation: "sigmoid"`, float32, 0 to 1. */
  readonly score: number;
  /** The score times 100 in float32, computed by torch: the number that the tutorial prints. */
  readonly percent: number;
}

/** What a network makes of a picture before its last layer tells classes apart: near for what looks alike. */
export interface Embedding {
  readonly data: Float32Array;
  /** `[D]`, as `info().embedding` says. */
  readonly shape: readonly number[];
}

export interface DetailedResult {
  /** Best first. */
  readonly top: readonly Classification[];
  /** Float32, one per class, with `include.logits`. */
  readonly logits?: Float32Array;
  /** Float32 softmax or sigmoid, one per class, with `include.probabilities`. */
  readonly probabilities?: Float32Array;
  /** What the network's head was given, float32, with `include.embedding`. */
  readonly embedding?: Embedding;
  /** What the network saw, float32 [1,3,H,W], with `include.tensor`. */
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

/** A ranking with its labels, best first. @param threshold the score that a class has at least. */
export function topOf(
  { indices, scores, percentages }: Ranking,
  labels: readonly string[],
  threshold: number,
): Classification[] {
  const ranked = indices.map((index, rank) => ({
    label: labels[index] ?? "",
    index,
    score: scores[rank] ?? Number.NaN,
    percent: percentages[rank] ?? Number.NaN,
  }));
  return threshold === 0 ? ranked : ranked.filter(({ score }) => score >= threshold);
}
