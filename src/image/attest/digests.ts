/** What Node makes of the pictures in `models/attestation`: twin of `isotorch_worker/pictures/attest.py`, with digests of the same names. */
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decode } from "../decode/decode.ts";
import type { Pixels } from "../resample/geometry.ts";
import { KINDS } from "../headers/kinds.ts";
import { damaged, type Digests, FOLDER, type OwnDigests } from "./built-in.ts";
import { digestOf, usualSteps } from "./steps.ts";

/** Decodes, resizes and crops all of them; takes some 50 ms. A kind that cannot be decoded here is left out. */
export async function ownDigests(): Promise<OwnDigests> {
  const names = pictureNames();
  const turned = names.filter((name) => name.startsWith("orientation-")).toSorted();
  const pictures = names.filter((name) => !turned.includes(name));
  const kinds = pictures.map(async (name) => [
    name.slice(0, name.lastIndexOf(".")),
    await decoded([name], "ignore"),
  ]);
  const upright = decoded(turned, "apply").then((digest) => ["orientation", digest]);
  const made = await Promise.allSettled([...kinds, upright]);
  const digests = Object.fromEntries(
    made.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])),
  ) as Digests;
  const { digests: crops, resize } = usualSteps();
  return { digests: { ...digests, ...crops }, resize };
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
