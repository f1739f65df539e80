import type { InputSpec } from "../../src/image/resample/geometry.ts";
import { arrayOfFloats, arrayOfIntegers, arrayOfPixels } from "../../src/parity/compare/array.ts";
import type { Compared, ParityWeights, Side } from "../../src/parity/run.ts";
import { climb } from "../../src/parity/ladder.ts";
import { stepsOf } from "../../src/parity/ours.ts";
import type { ArrayStage, OurTrace, Refusal, Traced } from "../../src/parity/stages.ts";
import type { StageArray } from "../../src/parity/compare/array.ts";

export const SPEC: InputSpec = {
  resize: 256,
  crop: 224,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  interpolation: "bilinear",
};

export const WEIGHTS: ParityWeights = {
  name: "untrained:0",
  sha256: "a".repeat(64),
  transforms: "IMAGENET1K_V1",
  spec: SPEC,
};

export function side(name: string): Side {
  return { name, versions: { torch: "1.13.0" }, device: "cpu", threads: 2 };
}

/** A made trace with seven classes; the same at every call. */
export function trace(
  over: Partial<Record<ArrayStage, StageArray>> = {},
  labels: readonly string[] = LABELS,
): OurTrace & Traced {
  const data = Uint8Array.from({ length: 12 * 9 * 3 }, (_, index) => (index * 7) % 256);
  const { arrays } = stepsOf({ data, width: 12, height: 9 }, SPEC);
  const logits = Float32Array.of(3, 1, 2, -1, 0.5, 0, -2);
  return {
    kind: "traced",
    arrays: {
      ...arrays,
      embedding: arrayOfFloats(Float32Array.of(0.25, 0, 4)),
      logits: arrayOfFloats(logits),
      percentages: arrayOfFloats(logits.map((logit) => Math.exp(logit))),
      order: arrayOfIntegers([0, 2, 1, 4, 5, 3, 6]),
      ...over,
    },
    labels,
    skipped: {},
  };
}

/** The trace's array with one value replaced. */
export function changed(
  stage: ArrayStage,
  at: number,
  value: number,
): Partial<Record<ArrayStage, StageArray>> {
  const array = trace().arrays[stage]!;
  const data = array.data.slice();
  data[at] = value;
  return { [stage]: { ...array, data } };
}

/** A compared picture whose file does not matter. */
export function compared(ours: OurTrace | Refusal, reference: Traced | Refusal, input = "dog.jpg"): Compared {
  const ladder = climb(ours, reference);
  const attempts = [{ handoff: "tensor" as const, ours, ladder }];
  return { input, kind: "jpeg RGB", bytes: new TextEncoder().encode(input), reference, attempts };
}

/** A plain picture of one colour, to have another shape. */
export function flat(width: number, height: number): StageArray {
  return arrayOfPixels({ data: new Uint8Array(width * height * 3).fill(90), width, height });
}

const LABELS = ["tench", "goldfish", "shark", "ray", "cock", "hen", "ostrich"];
