/** What Node may do itself: where its bytes are those of the environment whose answer is wanted. */
import { createHash } from "node:crypto";
import { type Axis, type InputSpec, resizedSize, shapeOf, type Size } from "../resample/geometry.ts";
import type { HeaderFacts } from "../headers/facts.ts";
import { normalizationTable } from "../tensor.ts";
import { type Digests, type OwnDigests, referenceDigests, resizeName } from "./built-in.ts";
import { furtherSteps } from "./steps.ts";

/**
 * What was compared and how it came out, by the names of kinds of files (`jpeg-420`, `png-rgba8`, …) and of steps
 * (`resize-bilinear-tall`, `crop`, `normalize`, …). Plain data: it crosses from process to process with every picture.
 */
export interface Attestation {
  /** Whose answer Node's was compared with; `reference`: there was no environment to ask, so that of Pillow 9 to 12 on libjpeg-turbo. */
  readonly source: "worker" | "server" | "reference";
  /** What Node does, byte for byte as the environment does it. */
  readonly node: readonly string[];
  /** What came out otherwise, and is left to the environment's own Pillow and torchvision. */
  readonly worker: readonly string[];
  /** By the name of a resize that Node does, the axis along which the environment's Pillow goes first. */
  readonly resize: Readonly<Record<string, Axis>>;
}

/** What was compared, and what the environment itself made of each kind and step: digests, 16 hex digits. */
export interface AttestedEnvironment extends Attestation {
  readonly digests: Digests;
}

/** Compares an environment's digests with those of Node, and what the spec asks for besides, which is made here. */
export function attest(
  theirs: Digests,
  own: OwnDigests,
  spec: InputSpec,
  source: Attestation["source"],
): Attestation {
  const normalized = digestOfTable(spec);
  const further = furtherSteps(spec);
  const ours: Digests = {
    ...own.digests,
    ...further.digests,
    normalize: normalized,
    "normalize-pixels": normalized,
  };
  const byAxis = {
    horizontal: { ...own.resize.horizontal, ...further.resize.horizontal },
    vertical: { ...own.resize.vertical, ...further.resize.vertical },
  };
  const resize = Object.keys(byAxis.horizontal).flatMap((name): [string, Axis][] => {
    const axis = (["horizontal", "vertical"] as const).find((one) => byAxis[one][name] === theirs[name]);
    return axis === undefined ? [] : [[name, axis]];
  });
  const axes = Object.fromEntries(resize);
  const names = [...Object.keys(ours), ...Object.keys(byAxis.horizontal)];
  const isEqual = (name: string): boolean =>
    Object.hasOwn(axes, name) || (ours[name] !== undefined && ours[name] === theirs[name]);
  return {
    source,
    node: names.filter(isEqual),
    worker: names.filter((name) => !isEqual(name)),
    resize: axes,
  };
}

/** Everything as the most common Pillow does it, compared with nobody: for fakes. */
export function referenceAttestation(): Attestation {
  const node = Object.keys(referenceDigests());
  const resize = node.filter((name) => name.startsWith("resize-")).map((name) => [name, "horizontal"]);
  return {
    source: "reference",
    node,
    worker: [],
    resize: Object.fromEntries(resize) as Record<string, Axis>,
  };
}

/** Along which axis a picture is to be resized first; undefined where Node must not do it. */
export function firstAxis(
  { resize }: Pick<Attestation, "resize">,
  size: Size,
  spec: Pick<InputSpec, "resize" | "interpolation">,
): Axis | undefined {
  const to = resizedSize(size.width, size.height, spec.resize);
  const isKept = to.width === size.width && to.height === size.height;
  return isKept ? "horizontal" : resize[resizeName(spec.interpolation, shapeOf(size, to), spec.resize)];
}

/** Why a picture of this kind is not decoded here; undefined where it is. */
export function leftOfKind(
  { node }: Pick<Attestation, "node">,
  { kind }: Pick<HeaderFacts, "kind">,
): string | undefined {
  if (kind !== undefined && node.includes(kind)) return undefined;
  return kind === undefined ? "no attested picture stands for it" : `this Pillow decodes ${kind} otherwise`;
}

/** Of every value of a byte in every channel, normalised: float32 [3,1,256]. */
function digestOfTable(spec: Pick<InputSpec, "mean" | "std">): string {
  const { buffer } = normalizationTable(spec);
  return createHash("sha256").update(new Uint8Array(buffer)).digest("hex").slice(0, 16);
}
