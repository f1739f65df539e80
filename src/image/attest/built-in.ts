/** The pictures and steps of the attestation, as they lie in `models/attestation`. No decoder is loaded for them. */
import { readFileSync } from "node:fs";
import { IsotorchError } from "../../base/errors.ts";
import type { Axis, InputSpec, Interpolation, Shape, Sides } from "../resample/geometry.ts";

/** By name: a kind of file, a shape of resize, `crop`, `orientation`. 16 hex digits of a SHA-256. */
export type Digests = Readonly<Record<string, string>>;

/** Node's own: those of the resize once for each axis that may come first. */
export interface OwnDigests {
  readonly digests: Digests;
  readonly resize: Readonly<Record<Axis, Digests>>;
}

/** Width, height, and what `Resize` or `CenterCrop` is given. */
export type Case = readonly [width: number, height: number, size: Sides];
export type Shapes = Readonly<Record<Shape, readonly Case[]>>;

export interface Steps {
  /** To a length of the shorter side. */
  readonly resize: Shapes;
  /** To a height and a width. */
  readonly stretch: Shapes;
  /** Squares. */
  readonly crop: readonly Case[];
  /** Rectangles, and black on every side. */
  readonly "crop-any": readonly Case[];
}

/** Where they are. */
export const FOLDER: URL = new URL("../../../models/attestation/", import.meta.url);
const STEPS = "steps.json";
const REFERENCE = "reference.json";

/** The filters of ImageNet's networks: their resizes to a length are compared whatever the spec is. */
export const USUAL: readonly Interpolation[] = ["bilinear", "bicubic"];

/** The name of the digest of a resize. The nearest pixel is found in one pass: no shape matters to it. */
export function resizeName(interpolation: Interpolation, shape: Shape, to: Sides): string {
  const way = typeof to === "number" ? "resize" : "stretch";
  return interpolation === "nearest" ? `${way}-nearest` : `${way}-${interpolation}-${shape}`;
}

/** The name of the digest of a spec's crop: `crop` of a square from what is as large, `crop-any` of everything else. */
export function cropName({ resize, crop }: Pick<InputSpec, "resize" | "crop">): "crop" | "crop-any" {
  const isUsual = typeof resize === "number" && typeof crop === "number" && crop <= resize;
  return isUsual ? "crop" : "crop-any";
}

/** The resizes and crops that are compared. */
export function steps(): Steps {
  const found = parsed(STEPS) as Partial<Steps>;
  const shapes = [...Object.values(found.resize ?? {}), ...Object.values(found.stretch ?? {})];
  const lists = [...shapes, found.crop ?? [], found["crop-any"] ?? []];
  if (shapes.length !== 8 || lists.some((cases) => cases.length === 0))
    throw damaged(`${STEPS} lacks some steps`);
  return found as Steps;
}

/** The package on this disk is not what was published. */
export function damaged(why: string, cause?: unknown): IsotorchError {
  return new IsotorchError(
    "WORKER_START_FAILED",
    `The folder models/attestation of isotorch is damaged: ${why}.`,
    {
      hint: "Install the npm package again.",
      cause,
    },
  );
}

function parsed(name: string): unknown {
  try {
    return JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"));
  } catch (cause) {
    throw damaged(`${name} cannot be read`, cause);
  }
}

/** What Pillow 9 to 12 on libjpeg-turbo say, the most common ones: for where no environment can be asked. */
export function referenceDigests(): Digests {
  return parsed(REFERENCE) as Digests;
}
