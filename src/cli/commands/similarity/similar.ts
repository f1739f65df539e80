/** `isotorch similar QUERY DIR…` */
import { resolve } from "node:path";
import { abortError, IsotorchError } from "../../../base/errors.ts";
import { shownName } from "../../../base/text/names.ts";
import { shown } from "../../../base/text/shown.ts";
import { createClassifier } from "../../../classification/classifier.ts";
import type { Classifier } from "../../../classification/classifier.ts";
import type { ClassifyOptions } from "../../../classification/options.ts";
import { Nearest } from "../../../similarity/nearest.ts";
import { readVectors } from "../../../similarity/read.ts";
import type { Vector } from "../../../similarity/vector.ts";
import { SIMILAR } from "../../describe/similarity.ts";
import { EXIT } from "../../exit.ts";
import { parserOf } from "../../flags/description.ts";
import { classifierOptions, parseFlags, wholeNumber } from "../../flags/flags.ts";
import type { Values } from "../../flags/flags.ts";
import { embeddingOf } from "../../job/answers.ts";
import { picturesOf } from "../../lists/inputs.ts";
import type { Named } from "../../lists/inputs.ts";
import { note, sayNetwork } from "../../terminal/notes.ts";
import { STATUS } from "../../terminal/status-line.ts";
import { say } from "../../terminal/terminal.ts";
import { checkMade, embedAll, embeddingOptions, sayMade, takeAll } from "./embedded.ts";
import type { Failures } from "./embedded.ts";

const MOST = 10;

/** @returns 0, or 1 when some picture failed. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(SIMILAR));
  const [query, ...others] = positionals;
  const { vectors: file } = values;
  if (query === undefined || (others.length === 0) !== (typeof file === "string"))
    throw new IsotorchError("INVALID_OPTION", "`similar` takes a picture, and folders or --vectors.", {
      hint: "isotorch similar dog.jpg holidays/",
    });
  const most = values["top-k"] === undefined ? MOST : wholeNumber("top-k", values["top-k"]);
  const failures: Failures = { isJson: values["json"] === true, count: 0 };
  const nearest =
    typeof file === "string"
      ? await amongVectors(query, file, most, values, signal)
      : await amongPictures(query, others, most, { values, failures, signal });
  if (signal.aborted) throw abortError(signal);
  if (nearest.zeros > 0)
    note(`${nearest.zeros} ${nearest.zeros === 1 ? "vector is" : "vectors are"} all zeros and like nothing.`);
  const { found } = nearest;
  if (failures.isJson) {
    const similar = found.map(({ name: input, similarity }) => ({ input, similarity }));
    say(`${JSON.stringify({ input: query, similar })}\n`);
  } else {
    const lines = found.map(
      ({ name, similarity }) => `  ${similarity.toFixed(6).padStart(9)}  ${shownName(name)}\n`,
    );
    say(`${shownName(query)}\n${lines.join("")}`);
  }
  return failures.count > 0 ? EXIT.input : EXIT.ok;
}

async function amongPictures(
  query: string,
  others: readonly string[],
  most: number,
  { values, failures, signal }: { values: Values; failures: Failures; signal: AbortSignal },
): Promise<Nearest> {
  const options = embeddingOptions(values);
  await using classifier = await createClassifier({ ...classifierOptions(values), signal });
  STATUS.clear();
  sayNetwork(classifier.info(), "vectors");
  const nearest = nearestTo(await embedded(query, classifier, options, signal), most);
  const take = (vector: Vector): void => {
    if (!isSame(vector.name, query)) nearest.add(vector);
  };
  await embedAll(classifier, options, others, { failures, take, signal });
  return nearest;
}

async function amongVectors(
  query: string,
  file: string,
  most: number,
  values: Values,
  signal: AbortSignal,
): Promise<Nearest> {
  const known = await readVectors(file);
  sayMade(known);
  let vector: Vector | undefined;
  for await (const { name, values: found } of known.rows) {
    if (found === undefined || !isSame(name, query)) continue;
    vector = { name, values: found };
    break;
  }
  if (vector === undefined) {
    const options = embeddingOptions(values);
    await using classifier = await createClassifier({ ...classifierOptions(values), signal });
    STATUS.clear();
    sayNetwork(classifier.info(), "vectors");
    checkMade(file, known, classifier, options);
    vector = await embedded(query, classifier, options, signal);
  }
  const nearest = nearestTo(vector, most);
  const size = vector.values.length;
  await takeAll(file, (other) => {
    if (other.values.length !== size)
      throw new IsotorchError(
        "INVALID_OPTION",
        `The vectors of ${shown(file)} have ${other.values.length} values, and that of ${shown(query)} has ${size}.`,
        { hint: "Give the flags that `embed` was given, or make the file anew." },
      );
    if (!isSame(other.name, query)) nearest.add(other);
  });
  return nearest;
}

/** @throws IsotorchError `INVALID_INPUT` for a vector that is like nothing. */
function nearestTo({ name, values }: Vector, most: number): Nearest {
  if (values.some((value) => value !== 0)) return new Nearest(values, most);
  throw new IsotorchError(
    "INVALID_INPUT",
    `The vector of ${shown(name)} is all zeros, so that nothing is like it.`,
    {
      hint: "The network makes nothing of this picture: take another one, or another network.",
    },
  );
}

/** The vector of the one picture that an argument stands for. @throws IsotorchError why it has none. */
async function embedded(
  query: string,
  classifier: Classifier,
  options: ClassifyOptions,
  signal: AbortSignal,
): Promise<Vector> {
  let picture: Named | undefined;
  for await (const found of picturesOf(query, signal)) {
    if (picture !== undefined)
      throw new IsotorchError(
        "INVALID_OPTION",
        `${shown(query)} is several pictures, and the query is one.`,
        {
          hint: "isotorch similar dog.jpg holidays/",
        },
      );
    picture = found;
  }
  if (picture === undefined) throw abortError(signal);
  if ("error" in picture) throw picture.error;
  const result = await classifier.classifyDetailed(picture.image, { ...options, signal });
  return { name: query, values: embeddingOf(result) };
}

/** Whether two names are of one file, or one address. */
function isSame(name: string, query: string): boolean {
  return name === query || resolve(name) === resolve(query);
}
