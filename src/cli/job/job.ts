/** The lines of a run with `--out`: a line per picture in the pictures' order, so that its length says what is done. */
import { shown, shownValue } from "../../base/text/shown.ts";
import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { createInterface } from "node:readline";
import { IsotorchError } from "../../base/errors.ts";
import type { IsotorchErrorCode } from "../../base/errors.ts";
import { OF_THE_PICTURE } from "../../parity/eval/eval.ts";
import { readJson, writeJson } from "../../base/files/files.ts";
import { isRecord, parseRecord } from "../../base/files/json.ts";
import { LineFile } from "../../base/files/lines.ts";
import { unwritable } from "../../base/files/output.ts";
import { difference } from "./conditions.ts";
import type { Conditions } from "./conditions.ts";
import type { Named } from "../lists/inputs.ts";

const CHUNK = 1024 * 1024;

export class Job {
  readonly #path: string;
  readonly #lines: LineFile;
  /** Bytes of the lines that were there at the start. */
  readonly #before: number;
  /** Lines that were there at the start. */
  readonly done: number;

  private constructor(path: string, lines: LineFile, found: Whole) {
    this.#path = path;
    this.#lines = lines;
    this.#before = found.bytes;
    this.done = found.lines;
  }

  /**
   * Opens the file, or makes it. A last line that a killed run left unfinished is cut off.
   *
   * @throws IsotorchError `INVALID_OPTION` when it cannot be used, another run writes it, or it was made under other
   * conditions; `OUTPUT_FAILED` where the disk takes nothing.
   */
  static async open(path: string, conditions: Conditions): Promise<Job> {
    const lines = await LineFile.open(path);
    try {
      const found = await wholeLines(lines.file);
      await checkConditions(path, conditions, found.lines > 0);
      if (found.torn > 0) await lines.file.truncate(found.bytes);
      return new Job(path, lines, found);
    } catch (cause) {
      await lines.close().catch(() => {});
      throw unwritable(shown(path), cause, path);
    }
  }

  /**
   * The pictures that have no line yet.
   *
   * @throws IsotorchError `INVALID_OPTION` where the lines belong to other pictures than these.
   */
  async *rest(pictures: AsyncIterable<Named>, signal: AbortSignal): AsyncGenerator<Named, void, undefined> {
    const names = this.#names();
    let at = 0;
    for await (const picture of pictures) {
      at += 1;
      if (at > this.done) {
        yield picture;
        continue;
      }
      const { value } = await names.next();
      if (value !== picture.name) {
        throw invalid(
          `Line ${at} of ${shown(this.#path)} is of ${shown(String(value))}, and picture ${at} is ${shown(picture.name)}.`,
        );
      }
    }
    if (at < this.done && !signal.aborted)
      throw invalid(`${shown(this.#path)} has ${this.done} lines, and there are ${at} pictures.`);
  }

  /** Appends one line, as {@link LineFile.append} does; the next run cuts a torn one off. */
  append(line: string): void {
    this.#lines.append(line);
  }

  async close(): Promise<void> {
    await this.#lines.close();
  }

  async *#names(): AsyncGenerator<unknown, void, undefined> {
    if (this.#before === 0) return;
    const input = createReadStream(this.#path, { end: this.#before - 1 });
    for await (const line of createInterface({ input })) yield parseRecord(line)["input"];
  }
}

interface Whole {
  readonly lines: number;
  readonly bytes: number;
  /** Bytes behind the last whole line. */
  readonly torn: number;
}

/** Counts without holding more than a chunk. */
async function wholeLines(file: FileHandle): Promise<Whole> {
  const chunk = Buffer.alloc(CHUNK);
  let [lines, bytes, at] = [0, 0, 0];
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK, at);
    if (bytesRead === 0) return { lines, bytes, torn: at - bytes };
    const read = chunk.subarray(0, bytesRead);
    for (let end = read.indexOf(10); end !== -1; end = read.indexOf(10, end + 1)) {
      lines += 1;
      bytes = at + end + 1;
    }
    at += bytesRead;
  }
}

/** They stand in a file beside the answers, which are nothing but answers. */
async function checkConditions(path: string, conditions: Conditions, isBegun: boolean): Promise<void> {
  const beside = `${path}.job`;
  const { conditions: known } = await readJson(beside);
  if (!isBegun) {
    return writeJson(beside, { version: 1, conditions });
  }
  if (!isRecord(known))
    throw invalid(`${shown(path)} has lines that no run with --out began: ${shown(beside)} is missing.`);
  const name = difference(known, conditions);
  if (name !== undefined)
    throw invalid(
      `${shown(path)} was begun with ${shown(name)} ${textOf(known[name])}, and now it is ${textOf(conditions[name])}.`,
    );
}

const textOf = (value: unknown): string => (value === undefined ? "unset" : shownValue(value));

/** Failures of a picture, which get a line; every other one ends the run, and the next one goes on from there. */
const OF_PICTURES: ReadonlySet<IsotorchErrorCode> = new Set([...OF_THE_PICTURE, "INVALID_INPUT"]);

/** Whether it is the picture's, and will be the same the next time. */
export function isOfPicture({ code }: IsotorchError): boolean {
  return OF_PICTURES.has(code);
}

function invalid(message: string): IsotorchError {
  return new IsotorchError("INVALID_OPTION", message, {
    hint: "Give --out another file, or run it again as it was begun.",
  });
}
