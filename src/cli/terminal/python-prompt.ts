/** Statements at a Python prompt with what they print, and whether Python printed the same. */
import type { StepCheck } from "../../parity/tutorial/check.ts";
import type { TutorialStep } from "../../parity/tutorial/step.ts";

/** @returns lines. @param words what is said of an output that is the same, and of one that is not. */
export function promptLines(
  { python, output }: TutorialStep,
  check: StepCheck | undefined,
  words: { readonly same: string; readonly different: string },
): string[] {
  const [first = "", ...rest] = python.split("\n");
  const lines = [`>>> ${first}`, ...rest.map((line) => `... ${line}`)];
  if (rest.length > 0 && /^(?:with|def|for) /.test(python)) lines.push("... ");
  if (output !== "") lines.push(output);
  if (check === undefined || (check.same && output === "")) return lines;
  return [...lines, check.same ? `# ${words.same}` : `# ${words.different}\n${check.output}`];
}
