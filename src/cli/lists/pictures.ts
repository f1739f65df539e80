/** Every picture that a command line names: its arguments, and its list. */
import { stat } from "node:fs/promises";
import { pathOf } from "../../base/text/names.ts";
import type { PassedOver } from "../../parity/eval/walk.ts";
import { picturesOf } from "./inputs.ts";
import type { Named } from "./inputs.ts";
import { listed } from "./list.ts";

/** Where the pictures come from. */
export interface Given {
  readonly positionals: readonly string[];
  /** `--from`: a list, a folder, or `-`. */
  readonly from?: unknown;
  /** `--null`: the list's entries end with NUL. */
  readonly isNul?: boolean;
}

/** After a signal no more pictures are begun, and those in work are still answered. */
export async function* picturesFrom(
  { positionals, from, isNul = false }: Given,
  signal: AbortSignal,
  passed: PassedOver,
): AsyncGenerator<Named, void, undefined> {
  for (const argument of positionals) {
    for await (const picture of picturesOf(argument, signal, passed)) {
      if (signal.aborted) return;
      yield picture;
    }
  }
  if (typeof from !== "string") return;
  const isFolder = from !== "-" && (await stat(pathOf(from)).catch(() => undefined))?.isDirectory() === true;
  for await (const picture of isFolder ? picturesOf(from, signal, passed) : listed(from, { isNul, signal })) {
    if (signal.aborted) return;
    yield picture;
  }
}

/** Whether the pictures can be counted first: what stands on stdin can be read only once. */
export function isRepeatable({ positionals, from }: Given): boolean {
  return from !== "-" && !positionals.includes("-");
}
