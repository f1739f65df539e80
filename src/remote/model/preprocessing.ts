/** Whose preprocessing the pictures of a server get: what the server says, what the caller asks for, what is known by name. */
import { isDeepStrictEqual } from "node:util";
import { IsotorchError } from "../../base/errors.ts";
import type { TransformsName } from "../../checkpoints/resolve.ts";
import {
  DEFAULT_MODEL,
  isWeightsName,
  knownCheckpoints,
  modelNames,
  specOf,
} from "../../checkpoints/table.ts";
import { checkedSpec } from "../../image/spec.ts";
import { cropSize } from "../../image/resample/geometry.ts";
import type { Size } from "../../image/resample/geometry.ts";
import type { WireSpec } from "../../protocol/messages.ts";
import { mismatch } from "./metadata.ts";

export interface Preprocessing {
  readonly spec: WireSpec;
  /** The weights of which it is; null for one's own. */
  readonly transforms: TransformsName | null;
}

/** What is known of a server's network before its preprocessing is. */
export interface Known {
  readonly url: string;
  /** What the network sees, as its tensor says. */
  readonly size: Size;
  /** What an isotorch server says: a whole spec, or of one that is older the sides alone; empty for servers of others. */
  readonly said: Readonly<Record<string, unknown>>;
  /** torchvision's name; resnet101 where nobody says one that is known. */
  readonly model: string;
}

/** The name by which torchvision knows one of these; resnet101 where it knows none. */
export function torchvisionName(...names: readonly unknown[]): string {
  const known = modelNames();
  return known.find((name) => names.includes(name)) ?? DEFAULT_MODEL;
}

/** What the caller asks for, as a spec. @throws IsotorchError `INVALID_OPTION` for a name that the model does not have. */
export function wantedSpec(
  wanted: TransformsName | WireSpec | undefined,
  model: string,
): WireSpec | undefined {
  return typeof wanted === "string" ? specOf(wanted, model) : wanted;
}

/** @throws IsotorchError `REMOTE_MISMATCH` where the server has another one than is asked for, or nobody knows it. */
export function preprocessingOf(known: Known, wanted: TransformsName | WireSpec | undefined): Preprocessing {
  const { url, size, said, model } = known;
  const asked = wantedSpec(wanted, model);
  const candidates = asked === undefined ? specsOf(model) : [asked];
  const whole = specIn(said, url);
  const found = whole ?? candidates.find((spec) => isOfSides(spec, said) && isOfSize(spec, size));
  if (found === undefined || (asked !== undefined && !isDeepStrictEqual(found, asked))) {
    throw whole === undefined && said["resize"] === undefined
      ? unknownSpec(known, asked)
      : mismatch(`it wants ${shownSpec(whole ?? said)}, which is not ${wantedName(wanted)}`, url);
  }
  if (!isOfSize(found, size)) throw mismatch(`its crop is not the size of its tensor`, url);
  return { spec: found, transforms: typeof wanted === "string" ? wanted : nameOf(found, model) };
}

/** @returns undefined where the server does not say all of it. */
function specIn(said: Readonly<Record<string, unknown>>, url: string): WireSpec | undefined {
  const { resize, crop, mean, std, interpolation } = said;
  if ([resize, crop, mean, std, interpolation].includes(undefined)) return undefined;
  try {
    return checkedSpec({ resize, crop, mean, std, interpolation });
  } catch (cause) {
    if (cause instanceof IsotorchError) throw mismatch("its preprocessing is none that is known here", url);
    throw cause;
  }
}

/** Whether it has the sides that an older server of ours says. */
function isOfSides(spec: WireSpec, { resize, crop }: Readonly<Record<string, unknown>>): boolean {
  return (
    resize === undefined || (isDeepStrictEqual(spec.resize, resize) && isDeepStrictEqual(spec.crop, crop))
  );
}

function isOfSize(spec: WireSpec, size: Size): boolean {
  return isDeepStrictEqual(cropSize(spec), { width: size.width, height: size.height });
}

function specsOf(model: string): WireSpec[] {
  return Object.values(knownCheckpoints(model)).map(({ spec }) => spec);
}

function nameOf(spec: WireSpec, model: string): TransformsName | null {
  const named = Object.entries(knownCheckpoints(model)).find(([, known]) =>
    isDeepStrictEqual(known.spec, spec),
  );
  return named !== undefined && isWeightsName(named[0]) ? named[0] : null;
}

function wantedName(wanted: TransformsName | WireSpec | undefined): string {
  if (wanted === undefined) return "known here";
  return typeof wanted === "string" ? wanted : "that of `transforms`";
}

function shownSpec({ resize, crop }: Readonly<Record<string, unknown>> | WireSpec): string {
  return `resize ${JSON.stringify(resize)} and crop ${JSON.stringify(crop)}`;
}

/** A server of others says how large its tensor is, and not how pictures become it. */
function unknownSpec(
  { url, size: { width, height }, model }: Known,
  asked: WireSpec | undefined,
): IsotorchError {
  const { message } = mismatch(
    asked === undefined
      ? `its pictures have ${width} × ${height} pixels, and no weights of ${model} have such`
      : `its pictures have ${width} × ${height} pixels, and \`transforms\` makes others`,
    url,
  );
  return new IsotorchError("REMOTE_MISMATCH", message, {
    hint: "Say how the network was trained: `transforms: { resize, crop, interpolation, mean, std }`.",
  });
}
