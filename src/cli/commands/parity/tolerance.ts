/** What `--rtol` and `--atol` allow. */
import { FLOAT32_TOLERANCE } from "../../../parity/compare/closeness.ts";
import type { Tolerance } from "../../../parity/compare/closeness.ts";
import { numberFrom0 } from "../../flags/flags.ts";
import type { Values } from "../../flags/flags.ts";

/** One given alone leaves the other at its default; undefined without both. */
export function toleranceOf(values: Values): Tolerance | undefined {
  const given = Object.fromEntries(
    (["rtol", "atol"] as const).flatMap((name) => {
      const value = values[name];
      if (value === undefined) return [];
      return [[name, numberFrom0(name, value)]];
    }),
  );
  return Object.keys(given).length === 0 ? undefined : { ...FLOAT32_TOLERANCE, ...given };
}
