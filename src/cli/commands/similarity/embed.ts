/** `isotorch embed IMAGE… --out FILE` */
import { IsotorchError } from "../../../base/errors.ts";
import { shownValue } from "../../../base/text/shown.ts";
import { createClassifier } from "../../../classification/classifier.ts";
import { ofWorker } from "../../../classification/info.ts";
import { PassedOver } from "../../../parity/eval/walk.ts";
import { EMBED, VECTOR_ENDINGS } from "../../describe/similarity.ts";
import { EXIT } from "../../exit.ts";
import { parserOf } from "../../flags/description.ts";
import { classifierOptions, parseFlags } from "../../flags/flags.ts";
import type { Values } from "../../flags/flags.ts";
import { answerAll } from "../../job/answering.ts";
import { vectors } from "../../job/answers.ts";
import { runJob } from "../../job/run.ts";
import type { Product } from "../../job/run.ts";
import type { Named } from "../../lists/inputs.ts";
import { isRepeatable, picturesFrom } from "../../lists/pictures.ts";
import type { Given } from "../../lists/pictures.ts";
import { sayNetwork, sayPassed } from "../../terminal/notes.ts";
import { STATUS } from "../../terminal/status-line.ts";
import { print } from "../../terminal/terminal.ts";
import { embeddingOptions } from "./embedded.ts";

/** @returns 0, or 1 when some picture failed. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(EMBED));
  const { out, from } = values;
  const given: Given = { positionals, from, isNul: values["null"] === true };
  refuseContradictions(given, values);
  const options = embeddingOptions(values);
  await using classifier = await createClassifier({ ...classifierOptions(values), signal });
  STATUS.clear();
  sayNetwork(classifier.info(), "vectors");
  let passed = new PassedOver();
  const list = (): AsyncGenerator<Named, void, undefined> =>
    picturesFrom(given, signal, (passed = new PassedOver()));
  let code: number = EXIT.ok;
  if (typeof out === "string") {
    const { embedding: size } = ofWorker(classifier.info(), "`embed`");
    const counted = isRepeatable(given) && process.stderr.isTTY ? list : undefined;
    code = await runJob(out, vectorsOf(size), { classifier, options, list, counted, signal });
  } else {
    await answerAll(classifier, options, list(), async (answer) => {
      if ("error" in answer) code = EXIT.input;
      await print(vectors.of(answer));
    });
  }
  sayPassed(passed);
  return code;
}

/** The job whose lines are vectors. @param size values of one. */
function vectorsOf(size: number): Product {
  return {
    line: (answer) => vectors.of(answer),
    finish: async (lines, path, network) => {
      if (path.endsWith(".npy")) {
        const { writeVectors } = await import("../../job/npy.ts");
        return writeVectors(lines, path, size, network);
      }
      const { vectorColumns, writeParquet } = await import("../../job/parquet.ts");
      return writeParquet(lines, path, vectorColumns(), network);
    },
  };
}

function refuseContradictions({ positionals, from, isNul }: Given, { out, json }: Values): void {
  const refuse = (message: string, hint = "`isotorch embed --help` has examples"): never => {
    throw new IsotorchError("INVALID_OPTION", message, { hint });
  };
  if (positionals.length === 0 && from === undefined)
    refuse("No picture was given.", "isotorch embed holidays/ --out vectors.npy");
  if (out === undefined && json !== true)
    refuse("It was not said where the vectors go: --out FILE, or --json.");
  if (out !== undefined && json === true) refuse("--out writes a file, and --json prints: give one of them.");
  if (out !== undefined && !VECTOR_ENDINGS.some((ending) => String(out).endsWith(ending)))
    refuse(`--out is ${shownValue(out)}, expected a file that ends with ${VECTOR_ENDINGS.join(", ")}.`);
  if (isNul === true && from === undefined) refuse("--null belongs to --from.");
  if (positionals.filter((argument) => argument === "-").length + (from === "-" ? 1 : 0) > 1)
    refuse("stdin can be read only once.");
}
