/** Which format a label file has, and the labels in it. */
import { labelsOfCsv, unquoted } from "./csv.ts";
import { byIndex } from "./indexed.ts";
import { type Literal, LiteralError, parseLiteral } from "./literal.ts";
import type { Refusal } from "./refusal.ts";
import { labelsOfValue } from "./value.ts";

/** The labels of a file, in the order of the classes. */
export interface FileLabels {
  readonly labels: readonly string[];
  /** Whether the file has one label per line, as the tutorial reads it. */
  readonly isLines: boolean;
}

/** What begins a JSON or Python value rather than a label. */
const VALUE = /^(?:\{|[[(]\s*(?:[[{("'\])]|u["']|-?\d))/;
/** `labels = {`, `export const labels = [` and the like. */
const ASSIGNMENT = /^(?:(?:export\s+)?(?:const|let|var)\s+)?[A-Za-z_][\w.]*(?:\s*:[^=\n]*|\s*)=\s*(?=[[{(])/;

/** What a program or its data may begin with; labels that begin so are no value after it, and stay. */
const COMMENTS = /^(?:(?:#|\/\/)[^\n]*\n\s*|\/\*[^*]*\*+(?:[^/*][^*]*\*+)*\/\s*)+/;

/** One string in quotes and nothing beside it, as Python and CSV write it; `"0","tench"` is two. */
const QUOTED = /^(?:"(?:[^"\\]|""|\\.)*"|'(?:[^'\\]|''|\\.)*')\s*,?$/;

/** Files that are none, by how they begin, with what they are. */
const STRANGERS: readonly (readonly [start: RegExp, why: string, hint: string])[] = [
  [
    /^<(?:!doctype|html|head|\?xml|svg)/i,
    "is a web page or XML, not a list of labels",
    'Where a site shows the file, take its "raw" or "download" link.',
  ],
  [/^\{\\rtf/, "is RTF", "Save it as plain text."],
  [
    /^item\s*\{/,
    "looks like TensorFlow's label map (.pbtxt), which is not read",
    "Write one label per line, in the order of the classes.",
  ],
  [
    /^(?:---\s*\n|%YAML|[\w-]+:[^\S\n]*(?:\[.*)?\n\s*(?:-\s|\d+\s*:))/,
    "looks like YAML, which is not read",
    "Write one label per line, or JSON.",
  ],
  [
    /^version https:\/\/git-lfs/,
    "is a pointer of Git LFS, not the file itself",
    "Fetch it with `git lfs pull`.",
  ],
];

/**
 * The labels in a text. Lines that say nothing else are labels as they stand, stripped, as the tutorial's
 * `[line.strip() for line in f.readlines()]` has them.
 *
 * @throws IsotorchError `BAD_LABELS` naming the format where it cannot be read, or can be read in two ways.
 */
export function parseLabels(text: string, refusal: Refusal): FileLabels {
  const start = text.trimStart();
  const uncommented = start.replace(COMMENTS, "");
  if (start === "") throw refusal("is empty");
  for (const [begins, why, hint] of STRANGERS) if (begins.test(start)) throw refusal(why, hint);
  const other = labelsOfValueIn(uncommented, refusal) ?? labelsOfLines(linesOf(text), refusal);
  if (other === undefined) return { labels: linesOf(text).map(stripped), isLines: true };
  return { labels: other.map((label, at) => onOneLine(label, at, refusal)), isLines: false };
}

/** As Python's `readlines` parts them: a line end at the very end begins no other line. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** Python's blanks, which are not all of JavaScript's and none other than these. */
const BLANK = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
/** U+001C to U+001F, the separators of files, groups, records and units. */
const isSeparator = (character: string): boolean => character >= "\u001c" && character <= "\u001f";
const isBlank = (character: string): boolean => BLANK.test(character) || isSeparator(character);

/** As Python's `str.strip` does it. */
function stripped(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text.charAt(start))) start += 1;
  while (start < end && isBlank(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function labelsOfValueIn(start: string, refusal: Refusal): string[] | undefined {
  const assigned = start.replace(ASSIGNMENT, "");
  const isAssigned = assigned !== start;
  if (!isAssigned && !VALUE.test(start)) return undefined;
  const what = isAssigned || /^\(|^[[{]\s*(?:'|-?\d)/.test(assigned) ? "is a Python value" : "is JSON";
  const rows = rowsOfJson(assigned);
  if (rows !== undefined) return labelsOfValue(rows, "is JSON, a value per line", refusal);
  let value: Literal;
  try {
    value = parseLiteral(assigned);
  } catch (error) {
    if (!(error instanceof LiteralError)) throw error;
    const skipped = isAssigned ? " (after the =)" : "";
    throw refusal(
      `looks like ${what.replace(/^is /, "").replace("value", "dictionary or list")}, and cannot be read as that: ${error.message}${skipped}`,
      "Mend it there, or write one label per line, in the order of the classes.",
    );
  }
  return labelsOfValue(value, what, refusal);
}

/** Lines that are each an object or a list of its own, without a comma between them. */
function rowsOfJson(text: string): Literal[] | undefined {
  const lines = linesOf(text).filter((line) => line.trim() !== "");
  if (lines.length < 2 || !lines.every((line) => /^\s*(?:\{.*\}|\[.*\])\s*$/.test(line))) return undefined;
  try {
    return lines.map(parseLiteral);
  } catch (error) {
    if (error instanceof LiteralError) return undefined;
    throw error;
  }
}

/** Lines that are more than labels: `0: tench`, quotes around each, a table. */
function labelsOfLines(lines: readonly string[], refusal: Refusal): string[] | undefined {
  const filled = lines.map((line) => line.trim()).filter((line) => line !== "");
  if (filled.length < 2) return undefined;
  const indexed = filled.map((line) => /^(\d{1,9})\s*:(.*)$/.exec(line));
  if (indexed.every((found) => found !== null)) {
    const pairs = indexed.map(
      ([, index, label = ""]) => [Number(index), literalOr(label.trimStart())] as const,
    );
    return byIndex(pairs, 'has lines of the kind "0: tench"', refusal);
  }
  if (filled.every((line) => line.startsWith("- "))) {
    throw refusal("looks like a list in YAML, which is not read", 'Take the "- " away before each label.');
  }
  if (filled.every((line) => QUOTED.test(line))) return filled.map(literalOr);
  return labelsOfCsv(lines, refusal);
}

/** A label without the quotes around it, by the rules of Python, or of CSV; one without quotes as it is. */
function literalOr(label: string): string {
  const text = /^(["']).*\1\s*,$/.test(label) ? label.slice(0, -1).trimEnd() : label;
  if (!/^(["']).*\1$/.test(text)) return text;
  try {
    const value = parseLiteral(text);
    return typeof value === "string" ? value : text;
  } catch (error) {
    if (error instanceof LiteralError) return unquoted(text);
    throw error;
  }
}

function onOneLine(label: string, at: number, refusal: Refusal): string {
  const text = stripped(label);
  if (/[\r\n]/.test(text)) throw refusal(`has a label of more than one line: that of class ${at}`);
  if (/\p{Surrogate}/u.test(text)) throw refusal(`has half a character in the label of class ${at}`);
  return text;
}
