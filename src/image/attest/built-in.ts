/** The pictures and steps of the attestation, as they lie in `models/attestation`. No decoder is loaded for them. */
import { readFileSync } from "node:fs";
import type { Axis, Interpolation, Shape } from "../geometry.ts";

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
  return JSON.parse(readFileSync(new URL(STEPS, FOLDER), "utf8")) as Steps;
}

/** What Pillow 9 to 12 on libjpeg-turbo say, the most common ones: for where no environment can be asked. */
export function referenceDigests(): Digests {
  return JSON.parse(readFileSync(new URL(REFERENCE, FOLDER), "utf8")) as Digests;
}
