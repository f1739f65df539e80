/** What differs between two runs, grouped by what it means for the bits of the answer. */
import { isRecord } from "../../base/files/json.ts";
import type { Manifest, ManifestPicture } from "./manifest.ts";

/** Strongest first: decides the bits, may change them, or does not touch them. */
export const WEIGHTS_ON_BITS = ["decides", "may", "none"] as const;
export type WeightOnBits = (typeof WEIGHTS_ON_BITS)[number];

/** One thing that differs; `undefined` where one side does not have it. */
export interface ManifestDifference {
  readonly bits: WeightOnBits;
  /** Where it stands, such as `versions.torch`. */
  readonly path: string;
  readonly a: string | undefined;
  readonly b: string | undefined;
}

/** By the longest path that fits. What no line names may change the bits, as far as anybody knows. */
const EFFECTS: Readonly<Record<string, WeightOnBits>> = {
  pictures: "decides",
  "pictures.order": "none",
  model: "decides",
  "weights.sha256": "decides",
  "weights.transforms": "decides",
  "weights.checkpointKey": "decides",
  classes: "decides",
  head: "decides",
  spec: "decides",
  precision: "decides",
  device: "decides",
  // Another count of threads takes another convolution.
  threads: "decides",
  "weights.name": "none",
  // How surely it is the file, and what was made of its names; its hash says whether it is the same.
  "weights.integrity": "none",
  "weights.prefix": "none",
  "weights.remarks": "none",
  // All three kinds give the same bits.
  handoff: "none",
  // Who does it changes nothing; what the environment makes of a kind or a step does.
  attestation: "none",
  "attestation.digests": "may",
  node: "none",
  kernel: "none",
  "versions.python": "none",
  "versions.zmq": "none",
  "versions.pyzmq": "none",
  "versions.msgpack": "none",
  // Another BLAS or OpenMP, or a setting that chooses their kernels, rounds otherwise or does not.
  "versions.blas": "may",
  "versions.mkl": "may",
  "versions.openmp": "may",
  "versions.env": "may",
};

/** Every difference, those that decide the bits first; empty when the runs agree in everything. */
export function diffManifests(a: Manifest, b: Manifest): ManifestDifference[] {
  const [left, right] = [flat(a), flat(b)];
  const paths = new Set([...left.keys(), ...right.keys()]);
  const found: ManifestDifference[] = pictureDifferences(a.pictures, b.pictures);
  for (const path of paths) {
    const [ours, theirs] = [left.get(path), right.get(path)];
    if (ours !== theirs) found.push({ bits: effectOf(path), path, a: ours, b: theirs });
  }
  return WEIGHTS_ON_BITS.flatMap((bits) => found.filter((difference) => difference.bits === bits));
}

function effectOf(path: string): WeightOnBits {
  for (let key = path; key !== ""; key = key.slice(0, Math.max(0, key.lastIndexOf(".")))) {
    const effect = Object.hasOwn(EFFECTS, key) ? EFFECTS[key] : undefined;
    if (effect !== undefined) return effect;
  }
  return "may";
}

/** Every value by its path, lists as one value; the pictures are compared by name instead. */
function flat(manifest: Manifest): Map<string, string> {
  const { pictures: _, ...rest } = manifest;
  const values = new Map<string, string>();
  const walk = (value: unknown, path: string): void => {
    if (isRecord(value))
      for (const [key, inner] of Object.entries(value)) walk(inner, path ? `${path}.${key}` : key);
    else values.set(path, typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
  };
  walk(rest, "");
  return values;
}

function pictureDifferences(
  a: readonly ManifestPicture[],
  b: readonly ManifestPicture[],
): ManifestDifference[] {
  const [left, right] = [byName(a), byName(b)];
  const found: ManifestDifference[] = [];
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    const [ours, theirs] = [left.get(name), right.get(name)];
    if (ours !== theirs) found.push({ bits: "decides", path: `pictures.${name}`, a: ours, b: theirs });
  }
  const order = (list: readonly ManifestPicture[]): string => list.map(({ name }) => name).join("\n");
  if (found.length === 0 && order(a) !== order(b)) {
    found.push({ bits: "none", path: "pictures.order", a: a[0]?.name, b: b[0]?.name });
  }
  return found;
}

/** A name may stand twice, for two pictures or for one that was given twice. */
function byName(pictures: readonly ManifestPicture[]): Map<string, string> {
  const hashes = new Map<string, string>();
  for (const { name, sha256 } of pictures) {
    const before = hashes.get(name);
    hashes.set(name, before === undefined ? sha256 : `${before} ${sha256}`);
  }
  return hashes;
}
