/** The names of the classes: the weights' own, a list, or a file as people have them. */
import { excerpt, shown } from "../../base/text/shown.ts";
import { type FileHandle, open } from "node:fs/promises";
import { isNamedPipe } from "../../base/files/files.ts";
import { NAMES, readText } from "../../base/text/text.ts";
import type { Encoding } from "../../base/text/text.ts";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { parseLabels } from "./format.ts";
import { type Refusal, refusalOf } from "./refusal.ts";
import { isLabelName } from "./table.ts";

/** Labels as a file has them. */
export interface LabelFile {
  readonly labels: readonly string[];
  readonly encoding: Encoding;
  /** Whether Python reads the same labels with `open(file, encoding="utf-8")`, one per line. */
  readonly isPlain: boolean;
  /** Whether each line is a label. */
  readonly isLines: boolean;
}

/** Bytes of a label file at most: some hundred times ImageNet's with all its 21,841 classes. */
const LARGEST = 16 * 1024 * 1024;
const GIVE_A_FILE = "Give a text file with one label per line.";
/** Labels that come twice: ImageNet has two pairs among a thousand. More than this share is hardly meant. */
const FEW_REPEATED = 0.02;

/**
 * The labels that were given: a list as it is, or those of a file; see {@link readLabelFile}.
 *
 * @param warn hears what whoever gave the file should know: which encoding was taken, what looks unlike labels.
 * @returns undefined where no labels were asked for.
 * @throws IsotorchError `BAD_LABELS` when the file cannot be read.
 */
export async function readLabels(
  labels: string | readonly string[] | undefined,
  warn?: (sentence: string) => void,
): Promise<readonly string[] | undefined> {
  if (typeof labels !== "string") return labels;
  return (await readLabelFile(labels, warn)).labels;
}

/**
 * Reads a label file: one label per line, stripped, as the tutorial's `[line.strip() for line in f.readlines()]` does; or
 * JSON, a Python dictionary or list, CSV or TSV with indices or a header. UTF-8, UTF-16 with its byte order mark, else GBK
 * or Big5 where it is clear which, which `warn` then hears.
 *
 * @throws IsotorchError `BAD_LABELS` saying why it cannot be read, or cannot be read with certainty.
 */
export async function readLabelFile(file: string, warn?: (sentence: string) => void): Promise<LabelFile> {
  const refusal = refusalOf(file);
  const bytes = await bytesOf(file, refusal);
  const reading = readText(bytes);
  if (reading.outcome === "refused") throw refusal(reading.why, reading.hint);
  const { text, encoding, isMarked } = reading;
  const { labels, isLines } = parseLabels(text, refusal);
  if (encoding !== "utf-8" && !isMarked) {
    warn?.(
      `The label file ${shown(file)} is not UTF-8 and is read as ${NAMES[encoding]}: ${excerpt(labels[0] ?? "", 80)}, … If that is wrong, save it as UTF-8.`,
    );
  }
  for (const oddity of oddities(labels, isLines)) warn?.(`The label file ${shown(file)} ${oddity}.`);
  return { labels, encoding, isLines, isPlain: isLines && encoding === "utf-8" && !isMarked };
}

/** What is read as it stands and is probably not meant. */
function oddities(labels: readonly string[], isLines: boolean): string[] {
  const found: string[] = [];
  const [blank, ...blanks] = emptyOnes(labels);
  if (blank !== undefined && blank < labels.findLastIndex((label) => label !== "")) {
    const more = blanks.length > 0 ? `, and so have ${blanks.length} others` : "";
    found.push(
      `${isLines ? `has a blank line ${blank + 1}: ` : "is incomplete: "}class ${blank} has an empty label${more}`,
    );
  }
  const repeated = repeatedOf(labels.filter((label) => label !== ""));
  if (repeated.length > FEW_REPEATED * labels.length) {
    const different = labels.length - repeated.length;
    found.push(
      `has ${labels.length} labels and only ${different} different ones; ${JSON.stringify(repeated[0])} comes again`,
    );
  }
  const [first = ""] = labels;
  const end = /[,;]$/.exec(first)?.[0];
  if (isLines && labels.length > 1 && end !== undefined && labels.every((label) => label.endsWith(end)))
    found.push(
      `has ${JSON.stringify(end)} after each label; a line is a label as it stands, so it stays there`,
    );
  const lost = labels.findIndex((label) => label.includes("\uFFFD"));
  if (lost !== -1)
    found.push(`has U+FFFD in the label of class ${lost}: characters were lost when it was written`);
  const prefix = isLines && labels.length > 1 ? prefixOf(labels) : undefined;
  if (prefix !== undefined)
    found.push(`has ${prefix} before each label; a line is a label as it stands, so it stays there`);
  return found;
}

/** What stands before each label and is none of it. */
function prefixOf(labels: readonly string[]): string | undefined {
  const numbers = labels.map((label) => Number(/^["'(]?(\d{1,9})[^\p{L}\p{N}]/u.exec(label)?.[1]));
  const sorted = numbers.toSorted((a, b) => a - b);
  const [first] = sorted;
  if ((first === 0 || first === 1) && sorted.every((number, at) => number === first + at)) return "its index";
  return labels.every((label) => /^n\d{8}\s/.test(label)) ? "its WordNet id" : undefined;
}

/** Labels that came before. */
function repeatedOf(labels: readonly string[]): string[] {
  const seen = new Set<string>();
  return labels.filter((label) => seen.size === seen.add(label).size);
}

function emptyOnes(labels: readonly string[]): number[] {
  return labels.flatMap((label, at) => (label === "" ? [at] : []));
}

async function bytesOf(file: string, refusal: Refusal): Promise<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    if (await isNamedPipe(file))
      throw refusal("is a named pipe, which nobody may ever write to", GIVE_A_FILE);
    handle = await open(file);
    const facts = await handle.stat();
    if (facts.isDirectory()) throw refusal("is a folder");
    if (facts.size > LARGEST) throw tooLarge(refusal);
    const chunks: Uint8Array[] = [];
    let size = 0;
    // A pipe has no size.
    for await (const chunk of handle.createReadStream({ autoClose: false }) as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > LARGEST) throw tooLarge(refusal);
    }
    return Buffer.concat(chunks);
  } catch (cause) {
    if (cause instanceof IsotorchError) throw cause;
    throw new IsotorchError("BAD_LABELS", `The labels cannot be read: ${messageOf(cause)}.`, {
      cause,
      hint: "`labels` is a text file with one label per line, or a list of strings.",
    });
  } finally {
    await handle?.close();
  }
}

function tooLarge(refusal: Refusal): IsotorchError {
  return refusal(`is larger than ${LARGEST / 2 ** 20} MiB, and no list of labels`, GIVE_A_FILE);
}

/** The labels to use. @throws IsotorchError `BAD_LABELS` when there are not as many as classes. */
export function chooseLabels(
  given: readonly string[] | undefined,
  categories: readonly string[],
): readonly string[] {
  if (given === undefined) return categories;
  if (given.length === categories.length) return given;
  const [why, hint] = whyAnotherNumber(given, categories.length);
  throw new IsotorchError(
    "BAD_LABELS",
    `There are ${given.length} labels for ${categories.length} classes${why}.`,
    {
      hint,
    },
  );
}

/** What probably made it another number, and what to do about it. */
function whyAnotherNumber(given: readonly string[], classes: number): readonly [why: string, hint: string] {
  const blanks = emptyOnes(given);
  const atEnd = given.length - 1 - given.findLastIndex((label) => label !== "");
  if (atEnd > 0 && given.length - atEnd === classes) {
    const which = atEnd === 1 ? "the last line is blank" : `the last ${atEnd} lines are blank`;
    return [`: ${which}`, "Take the blank lines at the end away: a single line end there is none."];
  }
  if (blanks.length > 0 && given.length - blanks.length === classes) {
    const which = blanks
      .slice(0, 5)
      .map((at) => at + 1)
      .join(", ");
    return [
      `: ${blanks.length} lines are blank (${which}${blanks.length > 5 ? ", …" : ""})`,
      "Take the blank lines away.",
    ];
  }
  const [first = ""] = given;
  if (given.length === classes + 1 && /^(?:background|__background__|dummy|unlabell?ed|背景)$/i.test(first)) {
    return [
      `: the first is ${JSON.stringify(first)}, as in TensorFlow's lists, which PyTorch's networks do not have`,
      `Take the line ${JSON.stringify(first)} away; the others then have their places.`,
    ];
  }
  if (given.length === 1 && classes > 1)
    return [": all of the file is one line", "Give one label per line, in the order of the classes."];
  const isHeader = first.split(/[,;\t|]/).some(isLabelName);
  if (given.length === classes + 1 && isHeader)
    return [`: the first, ${JSON.stringify(first)}, looks like a header`, "Take the first line away."];
  const sometimes = blanks.length > 0 ? `, ${blanks.length} of them blank` : "";
  return [sometimes, "Give one label per line, in the order of the classes, or leave `labels` out."];
}
