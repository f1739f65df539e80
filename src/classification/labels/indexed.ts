/** Labels with their indices, in any order, to labels in the order of the classes. */
import { shownValue } from "../../base/text/shown.ts";
import type { Refusal } from "./refusal.ts";

/** A label with the index that is written with it. */
export type Indexed = readonly [index: number, label: string];

/**
 * The labels by index, which must be 0 to n-1, each once.
 *
 * @param what the format, as in "is a CSV table".
 * @throws IsotorchError `BAD_LABELS` naming the index that is twice or not there.
 */
export function byIndex(pairs: readonly Indexed[], what: string, refusal: Refusal): string[] {
  const labels: string[] = [];
  for (const [index, label] of pairs) {
    if (!Number.isSafeInteger(index) || index < 0)
      throw refusal(`${what}, and ${index} is no index of a class`, RANGE);
    if (index >= MOST) throw refusal(`${what}, and its index ${index} is larger than any network's`, RANGE);
    if (labels[index] !== undefined && labels[index] !== label) {
      throw refusal(
        `${what}, and has the index ${index} twice: ${shownValue(labels[index])} and ${shownValue(label)}`,
        "Keep one of them.",
      );
    }
    if (labels[index] !== undefined)
      throw refusal(`${what}, and has the index ${index} twice`, "Keep one of them.");
    labels[index] = label;
  }
  const missing = Array.from(labels).findIndex((label) => label === undefined);
  if (missing === -1) return labels;
  const startsAtOne = missing === 0 && Object.keys(labels).length === labels.length - 1;
  throw startsAtOne
    ? refusal(
        `${what}, and its indices go from 1 to ${labels.length - 1}`,
        "Subtract 1 from each: the first class has the index 0.",
      )
    : refusal(`${what}, and has no index ${missing}, though it goes to ${labels.length - 1}`, RANGE);
}

/** Whether the numbers are 0 to n-1 in some order. */
export function areIndices(numbers: readonly number[]): boolean {
  const all = new Set(numbers);
  return (
    all.size === numbers.length &&
    numbers.every((number) => Number.isInteger(number) && number >= 0 && number < all.size)
  );
}

const RANGE = "Indices are whole numbers from 0 to one less than there are classes, each once.";
const MOST = 1_000_000;
