/** `--out FILE`: many pictures, by as many runs as it takes. */
import type { Classifier } from "../../classification/classifier.ts";
import type { ClassifyOptions } from "../../classification/options.ts";
import { answerAll } from "./answering.ts";
import type { Answer } from "./answers.ts";
import { EXIT } from "../exit.ts";
import type { Named } from "../lists/inputs.ts";
import { conditionsOf } from "./conditions.ts";
import { Job, isOfPicture } from "./job.ts";
import type { Conditions } from "./conditions.ts";
import { Meter } from "../terminal/meter.ts";
import { STATUS } from "../terminal/status-line.ts";

/** What a job writes. */
export interface Product {
  /** A line of an answer. */
  readonly line: (answer: Answer) => string;
  /** What the lines depend on besides the network and how pictures are read. */
  readonly conditions?: Conditions;
  /**
   * Makes the file at `path` of the lines, where it is none of lines itself.
   *
   * @param network what the lines depend on, and whose weights they are.
   */
  readonly finish: (lines: string, path: string, network: Conditions) => Promise<void>;
}

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
  { line, conditions = {}, finish }: Product,
  { classifier, options, list, counted, signal }: JobOptions,
): Promise<number> {
  const info = classifier.info();
  const all = { ...conditionsOf(info, options), ...conditions };
  // Such a file can be appended to; any other is made of the lines beside it, at the end.
  const isLines = path.endsWith(".jsonl");
  const lines = isLines ? path : `${path}.jsonl`;
  const job = await Job.open(lines, all);
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
      job.append(line(answer));
      meter.count();
    });
    // Still under the lock of the lines: two runs would write into each other's file.
    if (!isLines && !signal.aborted) {
      const { name, trained } = info.weights;
      await finish(lines, path, { ...all, weights: name, trained });
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
