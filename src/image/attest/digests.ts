/** What Node makes of the pictures in `models/attestation`: twin of `isotorch_worker/pictures/attest.py`, with digests of the same names. */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decode } from "../decode/decode.ts";
import { type Axis, type Interpolation, type Pixels, resizedSize, type Shape } from "../resample/geometry.ts";
import { KINDS } from "../headers/kinds.ts";
import { centerCrop, resize } from "../resample/resample.ts";
import {
  damaged,
  type Case,
  type Digests,
  FOLDER,
  type OwnDigests,
  resizeName,
  type Steps,
  steps,
} from "./built-in.ts";

const FILTERS: readonly Interpolation[] = ["bilinear", "bicubic"];

/** Decodes, resizes and crops all of them; takes some 50 ms. A kind that cannot be decoded here is left out. */
export async function ownDigests(): Promise<OwnDigests> {
  const { resize: cases, crop: crops } = steps();
  const names = pictureNames();
  const turned = names.filter((name) => name.startsWith("orientation-")).toSorted();
  const pictures = names.filter((name) => !turned.includes(name));
  const kinds = pictures.map(async (name) => [
    name.slice(0, name.lastIndexOf(".")),
    await decoded([name], "ignore"),
  ]);
  const upright = decoded(turned, "apply").then((digest) => ["orientation", digest]);
  const crop = Promise.resolve(["crop", digestOf(cropped(crops))]);
  const made = await Promise.allSettled([...kinds, upright, crop]);
  const digests = Object.fromEntries(
    made.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])),
  ) as Digests;
  return {
    digests,
    resize: { horizontal: resized(cases, "horizontal"), vertical: resized(cases, "vertical") },
  };
}

/** @throws IsotorchError where the package lacks one. */
function pictureNames(): string[] {
  const names = readdirSync(fileURLToPath(FOLDER)).filter((name) => !name.endsWith(".json"));
  const wanted = [...KINDS, ...Array.from({ length: 8 }, (_, at) => `orientation-${at + 1}`)];
  const missing = wanted.filter((kind) => !names.some((name) => name.startsWith(`${kind}.`)));
  if (missing.length === 0) return names;
  throw damaged(`${missing.length} of its pictures are missing, as ${missing[0]}`);
}

/** Pictures of the folder, decoded as they are asked for in earnest. */
async function decoded(names: readonly string[], exif: "ignore" | "apply"): Promise<string> {
  const pictures: Pixels[] = [];
  for (const name of names) pictures.push(await decode(readFileSync(new URL(name, FOLDER)), { exif }));
  return digestOf(pictures);
}

function resized(shapes: Steps["resize"], first: Axis): Digests {
  const found: Record<string, string> = {};
  for (const interpolation of FILTERS) {
    for (const [shape, cases] of Object.entries(shapes)) {
      const pictures = cases.map(([width, height, size]) =>
        resize(pattern(width, height), resizedSize(width, height, size), interpolation, { first }),
      );
      found[resizeName(interpolation, shape as Shape)] = digestOf(pictures);
    }
  }
  return found;
}

function cropped(cases: readonly Case[]): Pixels[] {
  return cases.map(([width, height, size]) => centerCrop(pattern(width, height), size));
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
