/** One line of JSON per picture, appended as it is answered, so that a killed run goes on where it stopped. */
import { shown } from "../../base/text/shown.ts";
import { IsotorchError } from "../../base/errors.ts";
import type { IsotorchErrorCode } from "../../base/errors.ts";
import { isRecord, parseRecord } from "../../base/files/json.ts";
import { LineFile } from "../../base/files/lines.ts";
import { unwritable } from "../../base/files/output.ts";

/** What became of one picture. */
export type EvalRecord = EvalAnswer | EvalFailure;

export interface EvalAnswer {
  /** Below the tree's folder. */
  readonly name: string;
  /** Its right class. */
  readonly class: number;
  /** The five best classes, best first. */
  readonly top: readonly number[];
}

export interface EvalFailure {
  readonly name: string;
  readonly class: number;
  readonly error: { readonly code: IsotorchErrorCode; readonly message: string };
}

/** What the answers depend on, by name; lines made under others are not mixed with these. */
export type EvalConditions = Readonly<Record<string, string>>;

const VERSION = 1;

/** The file of a resumable run. */
export class EvalLog {
  /** What the runs before have answered. */
  readonly records: readonly EvalRecord[];
  readonly #lines: LineFile;

  private constructor(lines: LineFile, records: readonly EvalRecord[]) {
    this.#lines = lines;
    this.records = records;
  }

  /**
   * Opens the file, or makes it. A last line that a killed run left unfinished is cut off.
   *
   * @throws IsotorchError `INVALID_OPTION` when the file cannot be used, another run writes it, it is damaged, or it was
   * made under other conditions; `OUTPUT_FAILED` where the disk takes nothing.
   */
  static async open(path: string, conditions: EvalConditions): Promise<EvalLog> {
    const lines = await LineFile.open(path);
    try {
      const bytes = await lines.file.readFile();
      const whole = bytes.lastIndexOf("\n") + 1;
      const [header, ...rest] = bytes.subarray(0, whole).toString("utf8").split("\n").slice(0, -1);
      refuseOthers(path, header ?? bytes.subarray(whole).toString("utf8"), header !== undefined, conditions);
      const records = rest.map((line, at) => recordOf(path, line, at + 2));
      refuseTwice(path, records);
      if (whole < bytes.length) await lines.file.truncate(whole);
      if (header === undefined) lines.append(headerOf(conditions));
      return new EvalLog(lines, records);
    } catch (error) {
      await lines.close().catch(() => {});
      throw unwritable(shown(path), error, path);
    }
  }

  append(record: EvalRecord): void {
    this.#lines.append(`${JSON.stringify(record)}\n`);
  }

  close(): Promise<void> {
    return this.#lines.close();
  }
}

function headerOf(conditions: EvalConditions): string {
  return `${JSON.stringify({ isotorchEval: VERSION, conditions })}\n`;
}

/** A file of something else is never cut or added to: an unfinished first line must be the beginning of ours. */
function refuseOthers(path: string, header: string, finished: boolean, conditions: EvalConditions): void {
  if (!finished && headerOf(conditions).startsWith(header)) return;
  const { isotorchEval, conditions: made } = parseRecord(header);
  if (isotorchEval !== VERSION || !isRecord(made)) {
    throw new IsotorchError(
      "INVALID_OPTION",
      `${shown(path)} is not the file of an \`isotorch eval --resume\`.`,
      {
        hint: "Name a file that does not exist yet.",
      },
    );
  }
  const names = [...new Set([...Object.keys(made), ...Object.keys(conditions)])];
  const other = names.filter((name) => made[name] !== conditions[name]);
  if (other.length === 0) return;
  const said = other.map((name) => `${name} ${saidOf(made[name])} instead of ${saidOf(conditions[name])}`);
  throw new IsotorchError(
    "INVALID_OPTION",
    `${shown(path)} was made under other conditions: ${said.join(", ")}.`,
    {
      hint: "Use them again, or name another file.",
    },
  );
}

/** Files from before lack what was no condition then. */
function saidOf(value: unknown): string {
  return typeof value === "string" && value !== "" ? value : "nothing";
}

function refuseTwice(path: string, records: readonly EvalRecord[]): void {
  const seen = new Set<string>();
  for (const { name } of records) {
    if (seen.has(name)) {
      throw new IsotorchError("INVALID_OPTION", `${shown(path)} has two lines for ${shown(name)}.`, {
        hint: "Two runs wrote to it at once. Name another file.",
      });
    }
    seen.add(name);
  }
}

function recordOf(path: string, line: string, number: number): EvalRecord {
  const value = parseRecord(line);
  const { name, class: index, top, error } = value;
  const answered = Array.isArray(top) && top.every(Number.isSafeInteger);
  const failed = isRecord(error) && typeof error["code"] === "string" && typeof error["message"] === "string";
  if (typeof name === "string" && Number.isSafeInteger(index) && answered !== failed)
    return value as object as EvalRecord;
  throw new IsotorchError("INVALID_OPTION", `${shown(path)} is damaged in line ${number}.`, {
    hint: "Remove that line, or name another file.",
  });
}
