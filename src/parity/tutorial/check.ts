/** The tutorial's Python text beside ours: every output as text, and the numbers as bits. */
import { IsotorchError } from "../../base/errors.ts";
import { isRecord } from "../../base/files/json.ts";
import type { Tutorial } from "./tutorial.ts";
import { floatsFrom, runScript } from "./process.ts";
import type { TutorialStep } from "./step.ts";
import { ADDRESS } from "./steps.ts";

/** What Python printed after one statement. */
export interface StepCheck {
  readonly same: boolean;
  /** Without the last line end, and without the place in memory. */
  readonly output: string;
}

/** How many of a variable's float32 values have other bits. */
export interface BitsCheck {
  readonly name: string;
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
  /** The float32 values of variables by their names. */
  readonly bits: Readonly<Record<string, Float32Array>>;
  readonly torch: string;
  readonly threads: number;
}

/** Statements with what they print here. */
export interface Walk {
  readonly steps: readonly TutorialStep[];
  /** Values of variables here, whose bits are compared: float32. */
  readonly bits: Readonly<Record<string, Float32Array>>;
}

/** {@link checkWalk} of the statements of a picture. */
export function checkTutorial(tutorial: Tutorial, signal?: AbortSignal): Promise<TutorialCheck> {
  return checkWalk(walkOf(tutorial), tutorial.info, signal);
}

/** The statements of a picture, and the two variables whose bits are compared. */
export function walkOf({ steps, facts }: Pick<Tutorial, "steps" | "facts">): Walk {
  return { steps, bits: { out: facts.logits, percentage: facts.percentages } };
}

/** {@link askPython}, and what of it differs. */
export async function checkWalk(
  walk: Walk,
  machine: { readonly executable: string; readonly threads: number },
  signal?: AbortSignal,
): Promise<TutorialCheck> {
  return compareWithPython(walk, await askPython(walk, machine, signal));
}

/**
 * Runs the statements for real in a plain process of the same Python with the same number of threads.
 *
 * @throws IsotorchError `WORKER_ERROR` with the traceback when a statement fails.
 */
export async function askPython(
  { steps, bits: asked }: Walk,
  { executable, threads: asThreads }: { readonly executable: string; readonly threads: number },
  signal?: AbortSignal,
): Promise<PythonAnswer> {
  const statements = steps.map(({ python, runs }) => runs ?? python);
  const reply = await runScript({
    script: "tutorial_check.py",
    input: JSON.stringify({ threads: asThreads, statements, bits: Object.keys(asked) }),
    python: executable,
    signal,
  });
  const { outputs, bits, torch, threads } = reply;
  if (!Array.isArray(outputs) || outputs.length !== steps.length || !isRecord(bits)) {
    throw new IsotorchError("PROTOCOL_ERROR", "The script did not answer every statement.");
  }
  return {
    outputs: outputs.map(String),
    bits: Object.fromEntries(Object.entries(bits).map(([name, values]) => [name, floatsFrom(values)])),
    torch: String(torch),
    threads: Number(threads),
  };
}

/** Each output as text, and the numbers as bits. */
export function compareWithPython(
  { steps, bits: ours }: Walk,
  { outputs, bits: theirs, torch, threads }: PythonAnswer,
): TutorialCheck {
  const checks = steps.map(({ output }, at): StepCheck => {
    const printed = withoutAddress((outputs[at] ?? "").replace(/\n$/, ""));
    return { same: printed === output, output: printed };
  });
  const bits = Object.entries(ours).map(([name, values]) =>
    compareBits(name, values, theirs[name] ?? new Float32Array()),
  );
  const same = checks.every((check) => check.same) && bits.every(({ differing }) => differing === 0);
  return { same, steps: checks, bits, torch, threads };
}

/** Compares the bits of float32 values: NaN equals the same NaN, and 0 is not -0. */
export function compareBits(name: string, ours: Float32Array, theirs: Float32Array): BitsCheck {
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
