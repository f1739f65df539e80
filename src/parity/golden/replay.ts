/** A run against golden files: our preprocessing is made again; the network's stages only where one is asked for. */
import type { Classifier } from "../../classification/classifier.ts";
import { firstAxis, leftOfKind } from "../../image/attest/attestation.ts";
import { decode } from "../../image/decode/decode.ts";
import { readHeader } from "../../image/format.ts";
import { preprocessPixels } from "../../image/preprocess.ts";
import type { Handoff } from "../../classification/options.ts";
import { arrayOfTensor, pixelsOfArray } from "../compare/array.ts";
import type { Tolerance } from "../compare/closeness.ts";
import type { GoldenPicture } from "./golden.ts";
import type { GoldenReader } from "./read.ts";
import { climb } from "../ladder.ts";
import { ourStages, refusalOf, stepsOf } from "../ours.ts";
import type { Compared, ParityWeights } from "../run.ts";
import type { OurTrace, Refusal, Stage, Traced } from "../stages.ts";

export interface ReplayOptions {
  /** A worker for the network's stages. @default none: no Python is started */
  readonly classifier?: Classifier;
  /** How that classifier hands over. @default "tensor" */
  readonly handoff?: Handoff;
  readonly tolerance?: Tolerance | undefined;
}

const NO_NETWORK: Readonly<Partial<Record<Stage, string>>> = Object.fromEntries(
  (["embedding", "logits", "percentages", "order", "labels"] as const).map((stage) => [
    stage,
    "replayed without a network",
  ]),
);

/** One golden picture, compared with what is made of it now. */
export async function replay(
  golden: GoldenReader,
  picture: GoldenPicture,
  options: ReplayOptions = {},
): Promise<Compared> {
  const { classifier, handoff = "tensor", tolerance } = options;
  const { input, kind } = picture;
  const read = await golden.read(picture);
  const { bytes } = read;
  if (read.kind === "tampered") {
    const gone: Refusal = { kind: "refused", code: "INPUT_UNREADABLE", message: "a file has another hash" };
    const ladder = { verdict: "tampered", rungs: [], firstDivergence: null, tampered: read.files } as const;
    return { input, kind, bytes, reference: gone, attempts: [{ handoff, ours: gone, ladder }] };
  }
  const { reference } = read;
  const ours = classifier
    ? await ourStages(classifier, bytes)
    : await preprocessed(bytes, reference, golden.list.weights);
  const ladder = climb(ours, reference, { handoff, tolerance });
  return { input, kind, bytes, reference, attempts: [{ handoff, ours, ladder }] };
}

/** The stages before the network. Where only Pillow decodes as Pillow does, they go on from the golden pixels. */
async function preprocessed(
  bytes: Uint8Array,
  reference: Traced | Refusal,
  { spec, attestation }: ParityWeights,
): Promise<OurTrace | Refusal> {
  try {
    const header = readHeader(bytes);
    const reason = header.doubt ?? (attestation && leftOfKind(attestation, header));
    const isHere = reason === undefined;
    const golden = reference.kind === "traced" ? reference.arrays.decoded : undefined;
    if (!isHere && !golden) {
      return { kind: "refused", code: "DECODE_FAILED", message: `only Pillow could tell: ${reason}` };
    }
    const pixels = isHere || !golden ? await decode(bytes) : pixelsOfArray(golden);
    const first = attestation && firstAxis(attestation, pixels, spec);
    const { arrays, skipped } = stepsOf(pixels, spec, { first });
    const decoded = isHere ? {} : { decoded: `Pillow decodes this one (${reason}); the golden pixels go on` };
    return {
      kind: "traced",
      arrays: {
        ...arrays,
        normalized: arrayOfTensor(preprocessPixels(pixels, spec, { first })),
      },
      skipped: { ...skipped, ...NO_NETWORK, ...decoded },
      ...(arrays.normalized && { stepwise: arrays.normalized }),
    };
  } catch (error) {
    return refusalOf(error);
  }
}
