/** The tutorial's Python text beside ours: every output as text, and the numbers as bits. */
import { IsotorchError } from "../../base/errors.ts";
import type { Tutorial } from "./tutorial.ts";
import { floatsFrom, runScript } from "./process.ts";
import { ADDRESS } from "./steps.ts";

/** What Python printed after one statement. */
export interface StepCheck {
  readonly same: boolean;
  /** Without the last line end, and without the place in memory. */
  readonly output: string;
}

/** How many of a variable's float32 values have other bits. */
export interface BitsCheck {
  readonly name: "out" | "percentage";
  readonly values: number;
  readonly differing: number;
  readonly largestDifference: number;
}

export interface TutorialCheck {
  readonly same: boolean;
  /** One per step, in their order. */
  readonly steps: readonly StepCheck[];
  readonly bits: readonly BitsCheck[];
  /** The version of torch that ran it. */
  readonly torch: string;
  readonly threads: number;
}

/** What plain Python answered. */
export interface PythonAnswer {
  /** What the prompt printed after each statement. */
  readonly outputs: readonly string[];
  /** float32, one per class. */
  readonly out: Float32Array;
  /** float32, one per class. */
  readonly percentage: Float32Array;
  readonly torch: string;
  readonly threads: number;
}

/** {@link askPython}, and what of it differs. */
export async function checkTutorial(tutorial: Tutorial, signal?: AbortSignal): Promise<TutorialCheck> {
  return compareWithPython(tutorial, await askPython(tutorial, signal));
}

/**
 * Runs the statements for real in a plain process of the same Python with the same number of threads.
 *
 * @throws IsotorchError `WORKER_ERROR` with the traceback when a statement fails.
 */
export async function askPython(
  { steps, info }: Pick<Tutorial, "steps" | "info">,
  signal?: AbortSignal,
): Promise<PythonAnswer> {
  const statements = steps.map(({ python, runs }) => runs ?? python);
  const reply = await runScript({
    script: "tutorial_check.py",
    input: JSON.stringify({ threads: info.threads, statements }),
    python: info.executable,
    signal,
  });
  const { outputs, out, percentage, torch, threads } = reply;
  if (!Array.isArray(outputs) || outputs.length !== steps.length) {
    throw new IsotorchError("PROTOCOL_ERROR", "The script did not answer every statement.");
  }
  return {
    outputs: outputs.map(String),
    out: floatsFrom(out),
    percentage: floatsFrom(percentage),
    torch: String(torch),
    threads: Number(threads),
  };
}

/** Each output as text, and the numbers as bits. */
export function compareWithPython(
  { steps, facts }: Pick<Tutorial, "steps" | "facts">,
  { outputs, out, percentage, torch, threads }: PythonAnswer,
): TutorialCheck {
  const checks = steps.map(({ output }, at): StepCheck => {
    const printed = withoutAddress((outputs[at] ?? "").replace(/\n$/, ""));
    return { same: printed === output, output: printed };
  });
  const bits = [
    compareBits("out", facts.logits, out),
    compareBits("percentage", facts.percentages, percentage),
  ];
  const same = checks.every((check) => check.same) && bits.every(({ differing }) => differing === 0);
  return { same, steps: checks, bits, torch, threads };
}

/** Compares the bits of float32 values: NaN equals the same NaN, and 0 is not -0. */
export function compareBits(name: BitsCheck["name"], ours: Float32Array, theirs: Float32Array): BitsCheck {
  const values = Math.max(ours.length, theirs.length);
  const [a, b] = [wordsOf(ours), wordsOf(theirs)];
  let differing = 0;
  let largestDifference = 0;
  for (let at = 0; at < values; at++) {
    if (a[at] === b[at]) continue;
    differing++;
    const difference = Math.abs((ours[at] ?? Number.NaN) - (theirs[at] ?? Number.NaN));
    if (!(difference <= largestDifference)) largestDifference = difference;
  }
  return { name, values, differing, largestDifference };
}

function wordsOf(floats: Float32Array): Uint32Array {
  return new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
}

function withoutAddress(text: string): string {
  return text.replace(/ at 0x[0-9A-Fa-f]+>/g, ` at ${ADDRESS}>`);
}
