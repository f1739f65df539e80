import { shown } from "../../base/text/shown.ts";
import { IsotorchError } from "../../base/errors.ts";

/** Makes the `BAD_LABELS` of one file: `why` follows the file's name, as in "is JSON, and …". */
export type Refusal = (why: string, hint?: string) => IsotorchError;

/** The {@link Refusal} of the labels in a file. */
export function refusalOf(file: string): Refusal {
  return (why, hint) =>
    new IsotorchError(
      "BAD_LABELS",
      `The label file ${shown(file)} ${why}.`,
      hint === undefined ? {} : { hint },
    );
}
