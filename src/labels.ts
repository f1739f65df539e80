/** The names of the classes: the weights' own, a list, or a text file as the tutorial reads it. */
import { readFile } from "node:fs/promises";
import { IsotorchError, messageOf } from "./errors.ts";

/**
 * Reads one label per line, stripped, as the tutorial's `[line.strip() for line in f.readlines()]` does.
 *
 * @returns undefined where no labels were asked for.
 * @throws IsotorchError `BAD_LABELS` when the file cannot be read.
 */
export async function readLabels(
  labels: string | readonly string[] | undefined,
): Promise<readonly string[] | undefined> {
  if (labels === undefined || typeof labels !== "string") return labels;
  let text: string;
  try {
    text = await readFile(labels, "utf8");
  } catch (cause) {
    throw new IsotorchError("BAD_LABELS", `The labels cannot be read: ${messageOf(cause)}.`, {
      cause,
      hint: "`labels` is a text file with one label per line, or a list of strings.",
    });
  }
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => line.trim());
}

/** The labels to use. @throws IsotorchError `BAD_LABELS` when there are not as many as classes. */
export function chooseLabels(
  given: readonly string[] | undefined,
  categories: readonly string[],
): readonly string[] {
  if (given === undefined) return categories;
  if (given.length !== categories.length) {
    throw new IsotorchError(
      "BAD_LABELS",
      `There are ${given.length} labels for ${categories.length} classes.`,
      {
        hint: "Give one label per line, in the order of the classes, or leave `labels` out.",
      },
    );
  }
  return given;
}
