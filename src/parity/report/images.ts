/** The images of a report: the picture, what the network sees, and where the first diverging stage differs. */
import { pngUri } from "../../image/png.ts";
import type { Bitmap } from "../../image/png.ts";
import { pixelsOfArray } from "../compare/array.ts";
import type { StageArray } from "../compare/array.ts";
import type { Attempt } from "../run.ts";
import type { ArrayStage, Refusal, Stage, Traced } from "../stages.ts";

/** `data:` URIs of PNG pictures. */
export interface Images {
  readonly picture?: string;
  /** The crop, as our side made it. */
  readonly crop?: string;
  readonly difference?: { readonly uri: string; readonly caption: string };
}

const LONGEST_SIDE = 256;
const LONGEST_DIFFERENCE = 512;

/** The images of one attempt; those of a side that has none are left out. */
export async function imagesOf({ ours, ladder }: Attempt, reference: Traced | Refusal): Promise<Images> {
  const seen = ours.kind === "traced" ? ours : reference;
  if (seen.kind === "refused") return {};
  const { decoded, cropped } = seen.arrays;
  const difference =
    ours.kind === "traced" && reference.kind === "traced" && ladder.firstDivergence !== null
      ? await differenceOf(ladder.firstDivergence, ours, reference)
      : undefined;
  return {
    ...(decoded && { picture: await pngUri(thumbnail(decoded)) }),
    ...(cropped && { crop: await pngUri({ ...pixelsOfArray(cropped), channels: 3 }) }),
    ...(difference && { difference }),
  };
}

async function differenceOf(stage: Stage, ours: Traced, reference: Traced): Promise<Images["difference"]> {
  if (stage === "labels") return undefined;
  const [mine, theirs] = [ours.arrays[stage], reference.arrays[stage]];
  if (!mine || !theirs || mine.shape.join() !== theirs.shape.join()) return undefined;
  const { bitmap, largest } = differenceImage(stage, mine, theirs);
  const caption = `${stage}: black is equal, white is the largest difference, ${largest.toPrecision(3)}`;
  return { uri: await pngUri(bitmap), caption };
}

/**
 * The absolute differences, stretched so that the largest one is white. Pictures keep their place and are reduced by
 * taking maxima, so that a single pixel stays visible; vectors are laid out row by row in a square.
 */
export function differenceImage(
  stage: ArrayStage,
  ours: StageArray,
  reference: StageArray,
): { readonly bitmap: Bitmap; readonly largest: number } {
  const { width, height, positionOf } = layoutOf(stage, ours.shape);
  const shrink = Math.max(1, Math.ceil(Math.max(width, height) / LONGEST_DIFFERENCE));
  const columns = Math.ceil(width / shrink);
  const rows = Math.ceil(height / shrink);
  const found = new Float64Array(columns * rows);
  for (let i = 0; i < ours.data.length; i++) {
    const difference = Math.abs(ours.data[i]! - reference.data[i]!);
    if (difference === 0) continue;
    const position = positionOf(i);
    const y = Math.floor(Math.floor(position / width) / shrink);
    const at = y * columns + Math.floor((position % width) / shrink);
    // A difference that is no number is as bad as the largest.
    found[at] = Math.max(found[at]!, Number.isFinite(difference) ? difference : Number.MAX_VALUE);
  }
  const largest = found.reduce((a, b) => Math.max(a, b), 0);
  const data = Uint8Array.from(found, (value) =>
    value === 0 ? 0 : 64 + Math.round((191 * value) / largest),
  );
  return { bitmap: { data, width: columns, height: rows, channels: 1 }, largest };
}

interface Layout {
  readonly width: number;
  readonly height: number;
  /** From a flat index in the array to `y * width + x`. */
  readonly positionOf: (index: number) => number;
}

function layoutOf(stage: ArrayStage, shape: readonly number[]): Layout {
  if (stage === "decoded" || stage === "resized" || stage === "cropped") {
    const [height = 0, width = 0, channels = 1] = shape;
    return { width, height, positionOf: (index) => Math.floor(index / channels) };
  }
  if (stage === "toTensor" || stage === "normalized") {
    const [height = 0, width = 0] = shape.slice(-2);
    return { width, height, positionOf: (index) => index % (width * height) };
  }
  const count = shape.reduce((a, b) => a * b, 1);
  const width = Math.ceil(Math.sqrt(count));
  return { width, height: Math.ceil(count / width), positionOf: (index) => index };
}

/** The picture with its longer side at most 256, by taking every n-th pixel: quick, and only to be recognised. */
function thumbnail(array: StageArray): Bitmap {
  const { data, width, height } = pixelsOfArray(array);
  const step = Math.max(1, Math.ceil(Math.max(width, height) / LONGEST_SIDE));
  const [columns, rows] = [Math.ceil(width / step), Math.ceil(height / step)];
  const out = new Uint8Array(columns * rows * 3);
  let target = 0;
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step, target += 3) {
      const source = (y * width + x) * 3;
      out.set(data.subarray(source, source + 3), target);
    }
  }
  return { data: out, width: columns, height: rows, channels: 3 };
}
