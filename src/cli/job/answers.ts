/** Answers as text: lines of JSON, rows of CSV and TSV, and tables for people. */
import { excerpt, visible } from "../../base/text/shown.ts";
import type { Classification, DetailedResult } from "../../classification/classifier.ts";
import { IsotorchError } from "../../base/errors.ts";
import { shownName } from "../../base/text/names.ts";
import { bar, styled } from "../terminal/terminal.ts";
import type { ThumbnailKind } from "../terminal/terminal.ts";
import { besideThumbnail, THUMBNAIL_WIDTH } from "../terminal/thumbnail.ts";

export type Answer = { readonly name: string; readonly result: DetailedResult } | Failed;

export interface Failed {
  readonly name: string;
  readonly error: IsotorchError;
}

/** How answers are written; only a picture among them has to be waited for. */
export interface Writer<Text extends string | Promise<string> = string | Promise<string>> {
  /** What comes before the first answer. */
  readonly head?: string;
  /** What goes to stdout. */
  of(answer: Answer): Text;
  /** What goes to stderr. */
  aside?(answer: Answer): string;
}

export const jsonl: Writer<string> = {
  of: (answer) => {
    const line = JSON.stringify({ input: answer.name, ...asJson(answer) });
    return `${"error" in answer ? line : withEmbedding(line, answer.result.embedding?.data)}\n`;
  },
};

/** An embedding alone, or why there is none. */
export const vectors: Writer<string> = {
  of: (answer) => {
    const { name } = answer;
    if ("error" in answer) return `${JSON.stringify({ input: name, error: answer.error })}\n`;
    return `${withEmbedding(JSON.stringify({ input: name }), embeddingOf(answer.result))}\n`;
  },
};

/** An object of JSON with one member more: `JSON.stringify` would make 0 of the -0 that some activations give. */
function withEmbedding(json: string, values: Float32Array | undefined): string {
  if (values === undefined) return json;
  const numbers = Array.from(values, (value) => (Object.is(value, -0) ? "-0" : String(value)));
  return `${json.slice(0, -1)},"embedding":[${numbers.join(",")}]}`;
}

/** @throws IsotorchError `WORKER_ERROR` where whoever answered left it out. */
export function embeddingOf({ embedding }: DetailedResult): Float32Array {
  if (embedding !== undefined) return embedding.data;
  throw new IsotorchError("WORKER_ERROR", "The answer has no embedding, which was asked for.");
}

function asJson(answer: Answer): object {
  if ("error" in answer) return { error: answer.error };
  const { logits, probabilities, embedding: _, tensor, pixels: __, ...rest } = answer.result;
  return {
    ...rest,
    ...(logits && { logits: [...logits] }),
    ...(probabilities && { probabilities: [...probabilities] }),
    ...(tensor && { tensor: { shape: tensor.shape, data: [...tensor.data] } }),
  };
}

const COLUMNS = ["input", "rank", "index", "label", "score", "percent", "error", "message"];

function rowsOf(answer: Answer, row: (fields: readonly unknown[]) => string): string {
  const name = shownName(answer.name);
  if ("error" in answer) return row([name, "", "", "", "", "", answer.error.code, answer.error.message]);
  const { top } = answer.result;
  // No class is as high as --threshold: the picture has its row all the same.
  if (top.length === 0) return row([name, "", "", "", "", "", "", ""]);
  return top
    .map(({ index, label, score, percent }, at) => row([name, at + 1, index, label, score, percent, "", ""]))
    .join("");
}

/** RFC 4180, with line ends of one character. */
const csvRow = (fields: readonly unknown[]): string =>
  `${fields.map((field) => (/[",\r\n]/.test(String(field)) ? `"${String(field).replaceAll('"', '""')}"` : String(field))).join(",")}\n`;

const ESCAPES: Readonly<Record<string, string>> = { "\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\" };

const tsvRow = (fields: readonly unknown[]): string =>
  `${fields.map((field) => String(field).replace(/[\t\n\r\\]/g, (character) => ESCAPES[character] ?? "")).join("\t")}\n`;

export const csv: Writer<string> = { head: csvRow(COLUMNS), of: (answer) => rowsOf(answer, csvRow) };
export const tsv: Writer<string> = { head: tsvRow(COLUMNS), of: (answer) => rowsOf(answer, tsvRow) };

/** What a table may use. */
export interface Look {
  readonly isTerminal: boolean;
  /** Characters in a line of the terminal. @default 80 */
  readonly columns?: number | undefined;
  readonly isColoured: boolean;
  readonly thumbnails?: ThumbnailKind | undefined;
}

/** Characters of the longest bar, and of a percentage with all its digits. */
const BAR = 24;
const PERCENT = 18;

/** A name and its classes below it; what failed goes to stderr. */
export function table(look: Look): Writer {
  return {
    of: (answer) => {
      if ("error" in answer) return "";
      const { top, pixels } = answer.result;
      const lines = [styled("bold", spoken(answer.name, look), look.isColoured), ...linesOf(top, look)];
      if (look.thumbnails === undefined || pixels === undefined) return `${lines.join("\n")}\n`;
      return besideThumbnail(pixels, lines, look.thumbnails);
    },
    aside: (answer) => ("error" in answer ? failureText(answer) : ""),
  };
}

/** Why a picture has no answer, for people. */
export function failureText({ name, error }: Failed): string {
  return `${excerpt(name)}\n  ${error.code}: ${error.message}\n  ${error.hint}\n`;
}

/** A file's name or a label must not speak to the terminal. */
function spoken(name: string, { isTerminal }: Look): string {
  const text = shownName(name);
  return isTerminal ? visible(text) : text;
}

/** Label and percentage; every digit is shown, as Python prints a float32 as a float. */
function linesOf(classes: readonly Classification[], look: Look): string[] {
  if (classes.length === 0) return ["  no class reaches the threshold"];
  const top = classes.map((one) => ({ ...one, label: spoken(one.label, look) }));
  const width = Math.max(...top.map(({ label }) => widthOf(label)));
  const left = look.thumbnails === undefined ? 0 : THUMBNAIL_WIDTH;
  const length = Math.min(BAR, (look.columns ?? 80) - left - width - PERCENT - 6);
  return top.map(({ label, percent, score }) => {
    const padded = label + "".padEnd(width - widthOf(label));
    const hasBar = look.isTerminal && length >= 4;
    const drawn = hasBar ? `${styled("green", bar(score, length).padEnd(length), look.isColoured)}  ` : "";
    return `  ${padded}  ${drawn}${percent}`;
  });
}

/** Columns that a text takes in a terminal: Chinese, Japanese and Korean characters take two. */
function widthOf(text: string): number {
  const wide =
    /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/g;
  return text.length + (text.match(wide)?.length ?? 0);
}
