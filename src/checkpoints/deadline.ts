/** How long a network may take: what a call has where it says nothing itself. */
import { DEFAULT_MODEL, modelNames, knownCheckpoints } from "./table.ts";

/** Of resnet101 and every smaller network, milliseconds. */
export const LEAST_MS = 30_000;

/**
 * The time that a call of this network has by default: 30 s, and for a network with more GFLOPs than resnet101 (7.8) as much
 * longer, whole seconds. Where the model's weights differ in that, as with their pictures' size, the largest counts.
 *
 * @param model by torchvision's name; others, and none, have 30 s.
 * @returns milliseconds.
 */
export function defaultTimeoutMs(model: string | undefined): number {
  if (model === undefined || model === DEFAULT_MODEL || !modelNames().includes(model)) return LEAST_MS;
  const share = gflopsOf(model) / gflopsOf(DEFAULT_MODEL);
  return Math.max(LEAST_MS, Math.ceil((LEAST_MS / 1_000) * share) * 1_000);
}

function gflopsOf(model: string): number {
  return Math.max(...Object.values(knownCheckpoints(model)).map(({ gflops }) => gflops ?? 0));
}
