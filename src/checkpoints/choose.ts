/** Which of the known checkpoints are meant, by patterns of models and by what is known of the weights. */
import picomatch from "picomatch";
import { invalid } from "../base/options/check.ts";
import { didYouMean } from "../base/options/suggest.ts";
import { excerpt } from "../base/text/shown.ts";
import type { ModelEntry } from "./list.ts";
import { modelNames } from "./table.ts";

/** Characters of a pattern: no name is as long. */
const LONGEST = 300;

/** What the weights must be; what is left out leaves all. */
export interface Choice {
  /** Models that have none are left out. */
  readonly weights?: string | undefined;
  /** Bytes of the file at most. */
  readonly maxBytes?: number | undefined;
  /** Accuracy on ImageNet at least, percent. */
  readonly minAccuracy?: number | undefined;
  /** A licence of the weights' own by its name, or `none`. */
  readonly licence?: string | undefined;
  /** Whether the file must be in the cache. */
  readonly cached?: boolean | undefined;
}

/**
 * The known models that a pattern names, in alphabetical order: `resnet101`, `resnet*`, `{vit,swin}_*`. Upper and lower
 * case are the same.
 *
 * @param include all where there is none.
 * @throws IsotorchError `INVALID_OPTION` for a pattern that names none, with the nearest name or pattern.
 */
export function modelsMatching(include: readonly string[], exclude: readonly string[] = []): string[] {
  const names = modelNames();
  const [taken, left] = [include, exclude].map((patterns) =>
    patterns.map((pattern) => {
      const matches = matcher(pattern);
      if (!names.some((name) => matches(name))) throw unmatched(pattern, names);
      return matches;
    }),
  );
  return names.filter(
    (name) =>
      (include.length === 0 || taken?.some((matches) => matches(name))) &&
      left?.some((matches) => matches(name)) !== true,
  );
}

/** The entries that are as they must be. */
export function chosen(entries: readonly ModelEntry[], choice: Choice): ModelEntry[] {
  const { weights, maxBytes, minAccuracy, licence, cached } = choice;
  const isNamed = matcher(weights ?? "*");
  return entries.filter((entry) => {
    const bytes = entry.bytes ?? (entry.mebibytes === null ? Infinity : entry.mebibytes * 2 ** 20);
    const terms = (entry.licence?.name ?? "none").toLowerCase();
    return (
      isNamed(entry.name) &&
      (maxBytes === undefined || bytes <= maxBytes) &&
      (minAccuracy === undefined || entry.acc1 >= minAccuracy) &&
      (licence === undefined || terms === licence.toLowerCase()) &&
      (cached !== true || entry.here)
    );
  });
}

/** Whether a name is as a pattern says; none is where there is no pattern, or one too long to be meant. */
function matcher(pattern: string): (name: string) => boolean {
  if (pattern === "" || pattern.length > LONGEST) return () => false;
  const matches = picomatch(pattern, { nocase: true });
  return (name) => matches(name);
}

function unmatched(pattern: string, names: readonly string[]): Error {
  const part = `*${pattern}*`;
  const isPart = matcher(part);
  const hasPart = pattern !== "" && /^\w*$/.test(pattern) && names.some((name) => isPart(name));
  const wider = hasPart ? `\`isotorch models '${part}'\` shows those with it in their names` : undefined;
  const hint = didYouMean(pattern, names) ?? wider ?? "`isotorch models` lists all";
  return invalid(`No model of torchvision's is called "${excerpt(pattern)}".`, hint);
}
