import type { ClassifierInfo } from "../../classification/info.ts";
import type { ClassifyOptions } from "../../classification/options.ts";

/** What the answers depend on, by name; lines made under others are not mixed with these. */
export type Conditions = Readonly<Record<string, unknown>>;

/** What any answer to a picture depends on: the network, what it is given of the picture, and how exactly it computes. */
export function conditionsOf(info: ClassifierInfo, options: ClassifyOptions): Conditions {
  const { model, weights, precision, spec } = info;
  const { exif = "ignore", icc = "ignore", mode = "convert-rgb" } = options;
  const checkpointKey = "checkpointKey" in weights ? weights.checkpointKey : undefined;
  return { model, sha256: weights.sha256, checkpointKey, precision, spec, exif, icc, mode };
}

/** The name of what two differ in, of the second's; undefined where there is none. */
export function difference(before: Conditions, now: Conditions): string | undefined {
  return Object.keys(now).find((name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]));
}
