/** `isotorch classify … --out FILE.jsonl|FILE.parquet`: many pictures, by as many runs as it takes. */
import type { Classifier } from "../../classification/classifier.ts";
import type { ClassifyOptions } from "../../classification/options.ts";
import { answerAll } from "./answering.ts";
import { jsonl } from "./answers.ts";
import { EXIT } from "../exit.ts";
import type { Named } from "../lists/inputs.ts";
import { Job, isOfPicture } from "./job.ts";
import { Meter } from "../terminal/meter.ts";
import { STATUS } from "../terminal/status-line.ts";

export interface JobOptions {
  readonly classifier: Classifier;
  readonly options: ClassifyOptions;
  readonly list: () => AsyncIterable<Named>;
  /** The same list once more, where it can be counted beforehand. */
  readonly counted: (() => AsyncIterable<Named>) | undefined;
  readonly signal: AbortSignal;
}

/**
 * @returns 0, or 1 when this run wrote a line of a failed picture.
 * @throws IsotorchError what ended the run: its lines stay, and the next run goes on behind them.
 */
export async function runJob(
  path: string,
  { classifier, options, list, counted, signal }: JobOptions,
): Promise<number> {
  const { model, weights, precision } = classifier.info();
  const { topK = 5, include = {}, exif = "ignore", icc = "ignore", mode = "convert-rgb" } = options;
  const conditions = { model, sha256: weights.sha256, precision, topK, include, exif, icc, mode };
  // A Parquet file cannot be appended to: it is made of the lines beside it, at the end.
  const isParquet = path.endsWith(".parquet");
  const lines = isParquet ? `${path}.jsonl` : path;
  const job = await Job.open(lines, conditions);
  let failed = false;
  let unclosed: unknown;
  const status = process.stderr.isTTY ? STATUS : undefined;
  const meter = new Meter(job.done, counted && (await countOf(counted())), status);
  try {
    await answerAll(classifier, options, job.rest(list(), signal), async (answer) => {
      if ("error" in answer) {
        if (!isOfPicture(answer.error)) throw answer.error;
        failed = true;
      }
      job.append(jsonl.of(answer));
      meter.count();
    });
    // Still under the lock of the lines: two runs would write into each other's file.
    if (isParquet && !signal.aborted) {
      const { writeParquet } = await import("./parquet.ts");
      const { name, trained } = weights;
      await writeParquet(lines, path, include, { ...conditions, weights: name, trained });
    }
  } finally {
    meter.clear();
    // What ended the run is told, and not what closing the file says of it.
    await job.close().catch((error: unknown) => (unclosed = error));
  }
  if (unclosed !== undefined) throw unclosed;
  process.stderr.write(`${meter.summary()}\n`);
  return failed ? EXIT.input : EXIT.ok;
}

async function countOf(pictures: AsyncIterable<Named>): Promise<number> {
  let count = 0;
  for await (const _ of pictures) count += 1;
  return count;
}
