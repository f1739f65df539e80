/** Vectors for the commands that compare: of pictures that are embedded now, or of a file that `embed` made. */
import { IsotorchError } from "../../../base/errors.ts";
import { shown, shownValue } from "../../../base/text/shown.ts";
import type { Classifier } from "../../../classification/classifier.ts";
import type { ClassifyOptions } from "../../../classification/options.ts";
import { PassedOver } from "../../../parity/eval/walk.ts";
import { readVectors } from "../../../similarity/read.ts";
import type { Vector, Vectors } from "../../../similarity/vector.ts";
import { imageOptions, wholeNumber } from "../../flags/flags.ts";
import type { Values } from "../../flags/flags.ts";
import { answerAll } from "../../job/answering.ts";
import { embeddingOf, failureText, vectors } from "../../job/answers.ts";
import type { Failed } from "../../job/answers.ts";
import { conditionsOf, difference } from "../../job/conditions.ts";
import { picturesFrom } from "../../lists/pictures.ts";
import { note, sayPassed } from "../../terminal/notes.ts";
import { STATUS } from "../../terminal/status-line.ts";
import { print } from "../../terminal/terminal.ts";

/** What a call is told that is to give a vector. */
export function embeddingOptions(values: Values): ClassifyOptions {
  const { timeout } = values;
  return {
    ...imageOptions(values),
    ...(timeout !== undefined && { timeoutMs: wholeNumber("timeout", timeout) }),
    topK: 1,
    include: { embedding: true },
  };
}

/** Where a command says which pictures have no vector. */
export interface Failures {
  /** Whether it prints JSON. */
  readonly isJson: boolean;
  /** How many it said. */
  count: number;
}

/**
 * Hands on the vector of each picture, in the pictures' order; failures are told as `classify` tells them.
 *
 * @param positionals pictures, patterns and folders.
 */
export async function embedAll(
  classifier: Classifier,
  options: ClassifyOptions,
  positionals: readonly string[],
  { failures, take, signal }: { failures: Failures; take: (vector: Vector) => void; signal: AbortSignal },
): Promise<void> {
  const passed = new PassedOver();
  await answerAll(classifier, options, picturesFrom({ positionals }, signal, passed), async (answer) => {
    // A copy: what came from the worker may be a piece of something larger.
    if ("result" in answer) take({ name: answer.name, values: embeddingOf(answer.result).slice() });
    else await tell(answer, failures);
  });
  sayPassed(passed);
}

async function tell(failed: Failed, failures: Failures): Promise<void> {
  failures.count += 1;
  STATUS.clear();
  if (failures.isJson) await print(vectors.of(failed));
  else await print(failureText(failed), process.stderr);
}

/** Hands on each vector of a file, and says how many pictures have none. */
export async function takeAll(file: string, take: (vector: Vector) => void): Promise<void> {
  let failed = 0;
  const { rows } = await readVectors(file);
  for await (const { name, values } of rows) {
    if (values === undefined) failed += 1;
    else take({ name, values });
  }
  if (failed > 0)
    note(`${failed} ${failed === 1 ? "picture" : "pictures"} of ${shown(file)} had failed and left out.`);
}

/** Says of a file's vectors that they mean nothing, where that is known. */
export function sayMade({ made }: Vectors): void {
  if (made?.["trained"] === false)
    note(`${String(made["weights"])}: an untrained network, its vectors mean nothing.`);
}

/**
 * Refuses to compare what different networks made.
 *
 * @throws IsotorchError `INVALID_OPTION` where the file's vectors depend on something else than those that are made now.
 */
export function checkMade(
  file: string,
  { made }: Vectors,
  classifier: Classifier,
  options: ClassifyOptions,
): void {
  if (made === undefined) return note(`Nothing says which network made ${shown(file)}.`);
  const now = conditionsOf(classifier.info(), options);
  const name = difference(made, now);
  if (name === undefined) return;
  throw new IsotorchError(
    "INVALID_OPTION",
    `${shown(file)} was made with ${name} ${shownValue(made[name])}, and now it is ${shownValue(now[name])}.`,
    { hint: "Give the flags that `embed` was given, or make the file anew." },
  );
}
