/** Stage by stage of a text, ours against the reference's: where do they part? */
import { excerpt } from "../../base/text/shown.ts";
import type { StageArray } from "../compare/array.ts";
import type { Tolerance } from "../compare/closeness.ts";
import { compareLabels } from "../compare/compare.ts";
import { arraysRung, refused } from "../rung.ts";
import type { ComparedRung, Outcome, Rung } from "../rung.ts";
import type { Refusal } from "../stages.ts";
import type { OurTextOrRefusal, TextStage, TheirAnswer, TheirStages } from "./stages.ts";

export type TextLadder = Outcome<TextStage>;

export interface TextLadderOptions {
  /** Float stages may differ by this much, in the terms of `torch.testing.assert_close`; tokens may not. @default not by one bit */
  readonly tolerance?: Tolerance | undefined;
  /** A token as text for people. */
  readonly textOf: (id: number) => string;
}

/** Characters of two texts that are shown where they part. */
const SHOWN = 40;

/** Is told the reference's stages as they come, and keeps of each what it came to. */
export class TextClimb implements TheirStages {
  readonly #ours: OurTextOrRefusal;
  readonly #options: TextLadderOptions;
  readonly #rungs: Rung<TextStage>[] = [];

  constructor(ours: OurTextOrRefusal, options: TextLadderOptions) {
    this.#ours = ours;
    this.#options = options;
  }

  stage(stage: TextStage, array: StageArray): void {
    if (this.#ours.kind === "refused") return;
    if (stage === "tokens") {
      this.#rungs.push(this.#idsRung(stage, "controller", this.#ours.ids, Array.from(array.data)));
      return;
    }
    const ours = this.#ours.pass.get(stage);
    const { tolerance } = this.#options;
    if (ours === undefined) this.skipped(stage, "our side has none");
    else this.#rungs.push(arraysRung(stage, "worker", { ours, reference: array }, tolerance));
  }

  skipped(stage: TextStage, why: string): void {
    this.#rungs.push({ stage, outcome: "skipped", why });
  }

  answer(name: string, theirs: TheirAnswer): void {
    if (this.#ours.kind === "refused") return;
    const ours = this.#ours.answers.find(({ way }) => way.name === name);
    if (ours === undefined) return this.skipped(`ids.${name}`, "our side has none");
    this.#rungs.push(this.#stepsRung(`steps.${name}`, ours, theirs));
    this.#rungs.push(this.#idsRung(`ids.${name}`, "worker", ours.ids, theirs.ids));
    if (theirs.text === undefined) this.skipped(`text.${name}`, "the reference has no vocabulary");
    else this.#rungs.push(textRung(`text.${name}`, ours.text, theirs.text));
  }

  /** @param refusal of the reference, where it would not take the prompt. */
  ladder(refusal: Refusal | undefined): TextLadder {
    const own = this.#ours.kind === "refused" ? this.#ours : undefined;
    if (this.#ours.kind === "refused" || refusal !== undefined) return refused(own, refusal, "tokens");
    const told = new Set(this.#rungs.map(({ stage }) => stage));
    const untold = [...this.#ours.pass.keys()].filter((stage) => !told.has(stage));
    for (const stage of untold) this.skipped(stage, "the reference has none");
    const compared = this.#rungs.filter((rung) => rung.outcome !== "skipped");
    const differing = compared.filter(({ outcome }) => outcome === "differs");
    const isTolerable = differing.every(({ closeness }) => closeness?.close === true);
    return {
      verdict: differing.length === 0 ? "equal" : isTolerable ? "close" : "diverged",
      rungs: this.#rungs,
      firstDivergence: differing[0]?.stage ?? null,
    };
  }

  /** Logits up to the first token that is another one: behind it each side continues another text. */
  #stepsRung(stage: TextStage, ours: TheirAnswer, theirs: TheirAnswer): ComparedRung<TextStage> {
    const parted = ours.ids.findIndex((id, at) => id !== theirs.ids[at]);
    const common = Math.min(ours.ids.length, theirs.ids.length);
    const count = parted === -1 ? common : Math.min(common, parted + 1);
    const arrays = { ours: rows(ours.steps, count), reference: rows(theirs.steps, count) };
    const rung = arraysRung(stage, "worker", arrays, this.#options.tolerance);
    if (rung.comparison.kind !== "values" || rung.comparison.first === null) return rung;
    const step = 1 + Math.floor(rung.comparison.first / (ours.steps.shape[1] ?? 1));
    return { ...rung, note: `first at step ${step} of ${common}` };
  }

  #idsRung(
    stage: TextStage,
    where: "controller" | "worker",
    ours: readonly number[],
    theirs: readonly number[],
  ): ComparedRung<TextStage> {
    const comparison = compareLabels(ours.map(String), theirs.map(String));
    const at = comparison.first;
    const named = (id: number | undefined): string =>
      id === undefined ? "none" : `${id} ${JSON.stringify(this.#options.textOf(id))}`;
    return {
      stage,
      outcome: comparison.equal ? "equal" : "differs",
      where,
      comparison,
      ...(at !== null && {
        note: `token ${at + 1} is ${named(ours[at])} here and ${named(theirs[at])} there`,
      }),
    };
  }
}

function textRung(stage: TextStage, ours: string, theirs: string): ComparedRung<TextStage> {
  const [mine, other] = [Array.from(ours), Array.from(theirs)];
  const comparison = compareLabels(mine, other);
  const at = comparison.first;
  const from = (text: readonly string[]): string => `"${excerpt(text.slice(at ?? 0).join(""), SHOWN)}"`;
  return {
    stage,
    outcome: comparison.equal ? "equal" : "differs",
    where: "controller",
    comparison,
    ...(at !== null && {
      note: `from character ${at + 1} on it is ${from(mine)} here and ${from(other)} there`,
    }),
  };
}

function rows({ dtype, shape: [, width = 0], data }: StageArray, count: number): StageArray {
  return { dtype, shape: [count, width], data: data.subarray(0, count * width) };
}
