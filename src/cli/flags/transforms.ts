/** `--transforms`: preprocessing by the name of weights, or of one's own. */
import { readFileSync } from "node:fs";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { parseJson } from "../../base/files/json.ts";
import { shown } from "../../base/text/shown.ts";
import type { TransformsName } from "../../classification/options.ts";
import type { Transforms } from "../../image/spec.ts";

/** Weights by name, or what stands in a file. Either is checked where it is used. */
export function transformsOf(given: string): TransformsName | Transforms {
  if (!given.endsWith(".json")) return given as TransformsName;
  try {
    return parseJson(readFileSync(given, "utf8")) as Transforms;
  } catch (cause) {
    throw new IsotorchError(
      "INVALID_OPTION",
      `--transforms ${shown(given)} cannot be read: ${messageOf(cause)}.`,
      {
        hint: 'It is JSON such as {"resize": 256, "crop": [224, 320], "interpolation": "bicubic"}.',
        cause,
      },
    );
  }
}
