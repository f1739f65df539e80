/** `isotorch tutorial IMAGE`, and `isotorch tutorial --gpt` */
import { say } from "../terminal/terminal.ts";
import { IsotorchError } from "../../base/errors.ts";
import { checkTutorial } from "../../parity/tutorial/check.ts";
import type { TutorialCheck } from "../../parity/tutorial/check.ts";
import { checkPublished } from "../../parity/tutorial/published.ts";
import type { PublishedRow } from "../../parity/tutorial/published.ts";
import { mendings } from "../../parity/tutorial/steps.ts";
import { runTutorial } from "../../parity/tutorial/tutorial.ts";
import { TUTORIAL } from "../describe/checks.ts";
import { parserOf } from "../flags/description.ts";
import { classifierOptions, parseFlags } from "../flags/flags.ts";
import { DEFAULT_MODEL } from "../../checkpoints/table.ts";
import { shown } from "../../base/text/shown.ts";
import { EXIT } from "../exit.ts";
import { promptLines } from "../terminal/python-prompt.ts";
import { STATUS } from "../terminal/status-line.ts";

const WORDS = { same: "same", different: "DIFFERENT, Python printed:" };

/** @returns 0, or 1 when something differs. */
export async function run(argv: readonly string[], signal?: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(TUTORIAL));
  if (values["gpt"] === true) return (await import("./text/tutorial.ts")).walk(positionals, values, signal);
  if (values["lang"] !== undefined) throw new IsotorchError("INVALID_OPTION", "--lang belongs to --gpt.");
  const [image, ...more] = positionals;
  const json = values["json"] === true;
  const { labels, ...options } = { ...classifierOptions(values), ...(signal && { signal }) };
  if (more.length > 0) throw new IsotorchError("INVALID_OPTION", "`tutorial` takes one picture.");
  if (values["published"] === true) {
    if (values["check"] === true || values["as-written"] === true || values["weights"] !== undefined) {
      throw new IsotorchError(
        "INVALID_OPTION",
        "--published goes with none of --check, --as-written, --weights.",
      );
    }
    if (options.model !== undefined && options.model !== DEFAULT_MODEL) {
      throw new IsotorchError(
        "INVALID_OPTION",
        `Figures are published for ${DEFAULT_MODEL} alone, not for ${shown(options.model)}.`,
        { hint: "Leave --model out; `isotorch parity` compares any network with plain PyTorch." },
      );
    }
    return published(image, options, json);
  }
  if (image === undefined) {
    throw new IsotorchError("INVALID_OPTION", "No picture was given.", { hint: "isotorch tutorial dog.jpg" });
  }
  const asWritten = values["as-written"] === true;
  const ofLabels = typeof labels === "string" ? { labels } : {};
  const tutorial = await runTutorial(image, { ...options, ...ofLabels, asWritten });
  STATUS.clear();
  const check = values["check"] === true ? await checkTutorial(tutorial, signal) : undefined;
  const { weights, threads } = tutorial.info;
  const changes = mendings(tutorial.facts);
  if (json) {
    const steps = tutorial.steps.map(({ python, output }, at) => ({
      python,
      output,
      ...(check && { check: check.steps[at] }),
    }));
    const { steps: _, ...verdict } = check ?? { steps: [] };
    const mended = changes.map(([seed, to]) => ({ seed, mended: to }));
    write(
      JSON.stringify({
        input: image,
        model: tutorial.info.model,
        asWritten,
        weights,
        threads,
        mended,
        steps,
        ...(check && { check: verdict }),
      }),
    );
  } else {
    write(`# The tutorial's text could not be typed as it stands:`);
    for (const [seed, to] of changes) write(`#   ${seed} -> ${to}`);
    if (weights.trained === false) write(`# ${weights.name}: an untrained network, its labels mean nothing.`);
    for (const [at, step] of tutorial.steps.entries())
      for (const line of promptLines(step, check?.steps[at], WORDS)) write(line);
    if (check) conclude(check);
  }
  return check === undefined || check.same ? EXIT.ok : EXIT.input;
}

function conclude({ same, steps, bits, torch, threads }: TutorialCheck): void {
  const equal = steps.filter((step) => step.same).length;
  write(
    `# Python text beside it (torch ${torch}, ${threads} threads): ${equal} of ${steps.length} steps print the same`,
  );
  for (const { name, values, differing, largestDifference } of bits) {
    const by = differing === 0 ? "" : `, by up to ${largestDifference}`;
    write(`# ${name}: ${differing} of ${values} values have other bits${by}`);
  }
  write(same ? "# same" : "# DIFFERENT");
}

async function published(
  image: string | undefined,
  options: Parameters<typeof checkPublished>[1],
  json: boolean,
): Promise<number> {
  const { passed, exact, rows, figures } = await checkPublished(image, options);
  if (json)
    write(JSON.stringify({ passed, exact, source: figures.source, tolerance: figures.tolerance, rows }));
  else {
    write(`${figures.source}, ${figures.picture.name}`);
    for (const row of rows) write(lineOf(row));
    const within = `classes and order as published, percentages within ${figures.tolerance.percentagePoints} points`;
    write(exact ? "passed: every digit as published" : passed ? `passed: ${within}` : "FAILED");
  }
  return passed ? EXIT.ok : EXIT.input;
}

function lineOf({ published: { label, percent }, ours, difference, verdict }: PublishedRow): string {
  const theirs = `${label} ${percent}`;
  const mine = ours === undefined ? "nothing" : `${ours.label} ${ours.percent}`;
  return `  ${theirs.padEnd(40)}  here ${mine}  (${verdict}, ${difference >= 0 ? "+" : ""}${difference} points)`;
}

function write(line: string): void {
  say(`${line}\n`);
}
