/** `isotorch duplicates DIR…` */
import { abortError, IsotorchError } from "../../../base/errors.ts";
import { shownName } from "../../../base/text/names.ts";
import { createClassifier } from "../../../classification/classifier.ts";
import { groupsOf } from "../../../similarity/groups.ts";
import type { Member } from "../../../similarity/groups.ts";
import { identicalAmong } from "../../../similarity/identical.ts";
import { readVectors } from "../../../similarity/read.ts";
import type { Vector } from "../../../similarity/vector.ts";
import { DUPLICATES } from "../../describe/similarity.ts";
import { EXIT } from "../../exit.ts";
import { parserOf } from "../../flags/description.ts";
import { classifierOptions, fraction, parseFlags } from "../../flags/flags.ts";
import { note, sayNetwork } from "../../terminal/notes.ts";
import { STATUS } from "../../terminal/status-line.ts";
import { say } from "../../terminal/terminal.ts";
import { embedAll, embeddingOptions, sayMade, takeAll } from "./embedded.ts";
import type { Failures } from "./embedded.ts";

const THRESHOLD = 0.95;

/** @returns 0, or 1 when some picture failed. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(DUPLICATES));
  const { vectors: file } = values;
  if ((positionals.length === 0) !== (typeof file === "string"))
    throw new IsotorchError("INVALID_OPTION", "`duplicates` takes folders, or --vectors.", {
      hint: "isotorch duplicates holidays/",
    });
  const threshold =
    values["threshold"] === undefined ? THRESHOLD : fraction("threshold", values["threshold"]);
  const failures: Failures = { isJson: values["json"] === true, count: 0 };
  const vectors: Vector[] = [];
  const take = (vector: Vector): void => void vectors.push(vector);
  if (typeof file === "string") {
    sayMade(await readVectors(file));
    await takeAll(file, take);
  } else {
    await using classifier = await createClassifier({ ...classifierOptions(values), signal });
    STATUS.clear();
    sayNetwork(classifier.info(), "vectors");
    await embedAll(classifier, embeddingOptions(values), positionals, { failures, take, signal });
  }
  if (signal.aborted) throw abortError(signal);
  const { groups, firsts } = await grouped(vectors, threshold, signal);
  for (const [at, group] of groups.entries())
    say(failures.isJson ? json(group, firsts, vectors) : text(group, at + 1, firsts, vectors));
  if (!failures.isJson) {
    const members = groups.reduce((sum, group) => sum + group.length, 0);
    const what = groups.length === 1 ? "group" : "groups";
    say(`${groups.length} ${what}, with ${members} of ${vectors.length} pictures\n`);
  }
  return failures.count > 0 ? EXIT.input : EXIT.ok;
}

interface Grouped {
  readonly groups: readonly (readonly Member[])[];
  /** For a file that is the same to the last byte as one before it, that one's place. */
  readonly firsts: ReadonlyMap<number, number>;
}

async function grouped(vectors: readonly Vector[], threshold: number, signal: AbortSignal): Promise<Grouped> {
  // No cosine leads to these, but the same file twice is a duplicate all the same.
  const zeros = [...vectors.entries()].filter(([, { values }]) => values.every((value) => value === 0));
  if (zeros.length > 0)
    note(`${zeros.length} ${zeros.length === 1 ? "vector is" : "vectors are"} all zeros and like nothing.`);
  const same = await identicalAmong(
    zeros.map(([at, { name }]) => [at, name]),
    signal,
  );
  const onProgress = (done: number): void => STATUS.show(`compared ${done} of ${vectors.length}`);
  const groups = await groupsOf(vectors, threshold, {
    joined: [...same.firsts],
    signal,
    ...(process.stderr.isTTY && { onProgress }),
  }).finally(() => STATUS.clear());
  const members = groups.flat().map(({ at, name }) => [at, name] as const);
  const { firsts, unread } = await identicalAmong(members, signal);
  if (unread > 0)
    note(
      `${unread} ${unread === 1 ? "file" : "files"} could not be read again: whether they are identical is not known.`,
    );
  return { groups, firsts };
}

function json(group: readonly Member[], firsts: Grouped["firsts"], vectors: readonly Vector[]): string {
  const members = group.map(({ at, name, similarity = null }) => ({
    input: name,
    similarity,
    ...(firsts.has(at) && { identicalTo: vectors[firsts.get(at) ?? at]?.name }),
  }));
  return `${JSON.stringify({ group: members })}\n`;
}

function text(
  group: readonly Member[],
  number: number,
  firsts: Grouped["firsts"],
  vectors: readonly Vector[],
): string {
  const lines = group.map(({ at, name, similarity }) => {
    const first = firsts.get(at);
    const identical = first === undefined ? "" : `  identical to ${shownName(vectors[first]?.name ?? "")}`;
    return `  ${(similarity?.toFixed(6) ?? "").padStart(8)}  ${shownName(name)}${identical}\n`;
  });
  return `group ${number}, ${group.length} pictures\n${lines.join("")}`;
}
