/** The pictures and steps of the attestation, as they lie in `models/attestation`. No decoder is loaded for them. */
import { readFileSync } from "node:fs";
import { IsotorchError } from "../../base/errors.ts";
import type { Axis, Interpolation, Shape } from "../resample/geometry.ts";

/** By name: a kind of file, a shape of resize, `crop`, `orientation`. 16 hex digits of a SHA-256. */
export type Digests = Readonly<Record<string, string>>;

/** Node's own: those of the resize once for each axis that may come first. */
export interface OwnDigests {
  readonly digests: Digests;
  readonly resize: Readonly<Record<Axis, Digests>>;
}

/** Width, height, and the size that the shorter side gets, or that of the crop. */
export type Case = readonly [width: number, height: number, size: number];

export interface Steps {
  readonly resize: Readonly<Record<Shape, readonly Case[]>>;
  readonly crop: readonly Case[];
}

/** Where they are. */
export const FOLDER: URL = new URL("../../../models/attestation/", import.meta.url);
const STEPS = "steps.json";
const REFERENCE = "reference.json";

/** The name of the digest of a resize. */
export function resizeName(interpolation: Interpolation, shape: Shape): string {
  return `resize-${interpolation}-${shape}`;
}

/** The resizes and crops that are compared. */
export function steps(): Steps {
  const found = parsed(STEPS) as Partial<Steps>;
  const shapes = Object.values(found.resize ?? {});
  const isWhole = shapes.length === 4 && [...shapes, found.crop ?? []].every((cases) => cases.length > 0);
  if (!isWhole) throw damaged(`${STEPS} lacks some steps`);
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
