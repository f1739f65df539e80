/** What Node makes of the attestation's resizes and crops. No decoder is loaded for them. */
import { createHash } from "node:crypto";
import {
  type Axis,
  cropSize,
  type InputSpec,
  type Interpolation,
  type Pixels,
  resizedSize,
  type Shape,
} from "../resample/geometry.ts";
import { centerCrop, resize } from "../resample/resample.ts";
import { type Case, cropName, type Digests, type OwnDigests, resizeName, steps, USUAL } from "./built-in.ts";

/** The steps of ImageNet's networks. */
export function usualSteps(): OwnDigests {
  return {
    digests: { crop: cropped("crop") },
    resize: both((first) => resized("resize", USUAL, first)),
  };
}

/** What a spec asks for beside {@link usualSteps}: nothing, or its own filter, size and crop. */
export function furtherSteps(spec: Pick<InputSpec, "resize" | "crop" | "interpolation">): OwnDigests {
  const isStretch = typeof spec.resize !== "number";
  const isFurther = isStretch || !USUAL.includes(spec.interpolation);
  const filters = isFurther ? [spec.interpolation] : [];
  const name = cropName(spec);
  return {
    digests: name === "crop" ? {} : { [name]: cropped(name) },
    resize: both((first) => resized(isStretch ? "stretch" : "resize", filters, first)),
  };
}

function both(make: (first: Axis) => Digests): OwnDigests["resize"] {
  return { horizontal: make("horizontal"), vertical: make("vertical") };
}

function resized(way: "resize" | "stretch", filters: readonly Interpolation[], first: Axis): Digests {
  const shapes = Object.entries(steps()[way]) as [Shape, readonly Case[]][];
  const found: Record<string, Pixels[]> = {};
  for (const interpolation of filters) {
    for (const [shape, cases] of shapes) {
      for (const [width, height, size] of cases) {
        const to = resizedSize(width, height, size);
        const made = resize(pattern(width, height), to, interpolation, { first });
        (found[resizeName(interpolation, shape, size)] ??= []).push(made);
      }
    }
  }
  return Object.fromEntries(Object.entries(found).map(([name, pictures]) => [name, digestOf(pictures)]));
}

function cropped(name: "crop" | "crop-any"): string {
  return digestOf(
    steps()[name].map(([width, height, crop]) => centerCrop(pattern(width, height), cropSize({ crop }))),
  );
}

/** A picture that looks like noise and is the same everywhere: byte i is the top byte of i * 2654435761. */
export function pattern(width: number, height: number): Pixels {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = Math.imul(i, 2_654_435_761) >>> 24;
  return { data, width, height };
}

/** Of pictures, one after the other, with their sizes. */
export function digestOf(pictures: readonly Pixels[]): string {
  const hash = createHash("sha256");
  for (const { width, height, data } of pictures) hash.update(`${width}x${height}:`).update(data);
  return hash.digest("hex").slice(0, 16);
}
