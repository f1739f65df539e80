/** What a line of a list means: the name as it is written, where that is there; else what people's programs make of it. */
import { excerpt, shown, shownValue } from "../../base/text/shown.ts";
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { nameOf, pathOf } from "../../base/text/names.ts";
import { NAMES, TO_UTF8, chineseReadings, notUtf8, readChinese } from "../../base/text/text.ts";
import type { Encoding } from "../../base/text/text.ts";
import { IsotorchError } from "../../base/errors.ts";
import type { Named } from "./inputs.ts";
import { cellAt, columnsThere, headerOf } from "./cells.ts";
import type { PathColumn } from "./cells.ts";
import { badList } from "./lines.ts";
import type { Line } from "./lines.ts";

/** A name that a line can stand for. */
interface Candidate {
  readonly name: string;
  readonly encoding: Encoding;
}

/** Whom the reader of a list tells what. */
export interface Listening {
  /** The list's name to people. */
  readonly name: string;
  /** Its path, where it has one. */
  readonly path: string | undefined;
  /** Hears what was taken for granted, once for each kind. */
  readonly say: (sentence: string) => void;
}

/** What somebody wrote in Chinese or Japanese is hardly other bytes that happen to be UTF-8. */
const CHINESE = /[\u2E80-\u9FFF]/;
const ADDRESS = /^(?:https?|file|data):/i;

/** The entries of one list, whose lines may depend on those before. */
export class Entries {
  readonly #list: Listening;
  readonly #said = new Set<string>();
  #column: PathColumn | undefined;
  #isFirst = true;

  constructor(list: Listening) {
    this.#list = list;
  }

  /**
   * The picture of a line; `undefined` for a blank line, a comment and the header of a table.
   *
   * @throws IsotorchError `BAD_LIST` for a line that cannot be read, or can be read in two ways.
   */
  async of(line: Line): Promise<Named | undefined> {
    const text = line.text?.replace(/\r$/, "");
    if (text?.trim() === "") return undefined;
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (
      text !== undefined &&
      isPlain(text) &&
      this.#column === undefined &&
      !(isFirst && headerOf(text) !== undefined)
    )
      return { name: text, image: text };
    if (text !== undefined && (ADDRESS.test(text.trim()) || (await isThere(text))))
      return named(text, text.trim());
    // An archive from a Chinese Windows leaves such names on Linux, and `ls` such lists of them.
    const raw = text === undefined ? nameOf(withoutReturn(Buffer.from(line.bytes ?? []))) : "";
    if (raw !== "" && (await isThere(raw))) return { name: raw, image: raw };
    const found = await this.#found(line, text);
    if (found !== undefined) {
      if (found.encoding !== "utf-8")
        this.#sayOnce(
          found.encoding,
          `is read as ${NAMES[found.encoding]}, in which its names are there`,
          line,
        );
      return { name: found.name, image: found.name };
    }
    if (this.#isNoEntry(line, text, isFirst)) return undefined;
    return this.#missing(line, text);
  }

  /** The one name, of those that the line can stand for, that is there. */
  async #found(line: Line, text: string | undefined): Promise<Candidate | undefined> {
    const found: Candidate[] = [];
    for (const reading of readingsOf(line, text)) {
      if (found.length > 0 && reading.encoding !== "utf-8" && found[0]?.encoding === "utf-8") break;
      const name = await this.#nameThere(reading.name, line);
      // In both encodings a row can name the same file, where only its other cells are Chinese.
      if (name !== undefined && found.every((other) => other.name !== name))
        found.push({ name, encoding: reading.encoding });
    }
    const [first, another] = found;
    if (first === undefined || another === undefined) return first;
    const both = found.map(({ name, encoding }) => `${name} as ${NAMES[encoding]}`).join(" and ");
    throw badList(
      this.#list.name,
      `has a line ${line.number} that can be ${both}, and both are there`,
      TO_UTF8,
    );
  }

  async #nameThere(text: string, line: Line): Promise<string | undefined> {
    if (await isThere(text)) return text;
    for (const name of variantsOf(text)) if (ADDRESS.test(name) || (await isThere(name))) return name;
    if (this.#column !== undefined) {
      const cell = cellAt(text, this.#column);
      return cell !== undefined && (ADDRESS.test(cell) || (await isThere(cell))) ? cell : undefined;
    }
    const columns = await columnsThere(text, isThere);
    const [column] = columns;
    if (column === undefined || new Set(columns.map((each) => cellAt(text, each))).size > 1) return undefined;
    this.#column = column;
    this.#sayOnce("table", `is a table, whose column ${column.column + 1} is read as paths`, line);
    return cellAt(text, column);
  }

  /** Comments, and the names of columns. */
  #isNoEntry(line: Line, text: string | undefined, isFirst: boolean): boolean {
    // In every encoding that is read, # is the same byte.
    if (lossy(line, text).trimStart().startsWith("#")) {
      const what = "has lines that begin with # and name no file: they are passed over as comments";
      this.#sayOnce("comment", what, line);
      this.#isFirst = isFirst;
      return true;
    }
    if (!isFirst) return false;
    for (const { name } of readingsOf(line, text)) {
      const column = headerOf(name);
      if (column === undefined) continue;
      this.#column = column;
      const title = JSON.stringify(cellAt(name, column)?.trim() ?? "");
      this.#sayOnce("table", `is a table, whose column ${title} is read as paths`, line);
      return true;
    }
    return false;
  }

  /**
   * The failure of a line that names nothing, under the likeliest of its names, with what it may come from.
   *
   * @throws IsotorchError `BAD_LIST` for a line that is no text.
   */
  async #missing(line: Line, text: string | undefined): Promise<Named> {
    const where = `Line ${line.number} of the list ${this.#list.name}`;
    const hints: string[] = [];
    const { written, doubt } = this.#likeliest(line, text);
    if (doubt !== undefined) hints.push(`${where} ${doubt}.`);
    const cell = this.#column === undefined ? undefined : cellAt(written, this.#column);
    const name = cell ?? variantsOf(written).at(-1) ?? written;
    if (name !== written && cell === undefined)
      hints.push(`${where} is ${shownValue(written)}; without its quotes and blanks it is not there either.`);
    if (cell === undefined && /[,;\t]/.test(written))
      hints.push(
        'If it is a row of a table, put the names of the columns into the first line, such as "path,label".',
      );
    const { path } = this.#list;
    if (path !== undefined && dirname(path) !== "." && (await isThere(join(dirname(path), name))))
      hints.push(
        `Paths count from the working directory; from the list's own folder it would be there: cd ${dirname(path)}`,
      );
    const hint = hints.length > 0 ? { hint: hints.join(" ") } : {};
    return {
      name,
      error: new IsotorchError("INPUT_NOT_FOUND", `There is no file ${shown(name)}.`, hint),
    };
  }

  /** What a line says where nothing is there to tell, and what else it could say. */
  #likeliest(line: Line, text: string | undefined): { readonly written: string; readonly doubt?: string } {
    const { bytes } = line;
    if (text !== undefined) {
      const others = bytes === undefined || CHINESE.test(text) ? [] : chineseReadings(bytes);
      if (others.length === 0) return { written: text };
      const readings = others
        .map((other) => `${excerpt(other.text.trim())} as ${NAMES[other.encoding]}`)
        .join(" and ");
      return {
        written: text,
        doubt: `can be read as UTF-8, and also ${readings}, which is not there either`,
      };
    }
    const reading = readChinese(bytes ?? new Uint8Array());
    if (reading.outcome === "refused")
      throw badList(this.#list.name, `${notUtf8(bytes ?? new Uint8Array(), line)}${reading.why}`, TO_UTF8);
    return {
      written: reading.text.replace(/\r$/, ""),
      doubt: `is not UTF-8 and was read as ${NAMES[reading.encoding]}`,
    };
  }

  #sayOnce(kind: string, what: string, { number }: Line): void {
    if (this.#said.has(kind)) return;
    this.#said.add(kind);
    this.#list.say(`The list ${this.#list.name} ${what} (first in line ${number}).`);
  }
}

/** Whether a line can only be a name or an address as it stands. */
function isPlain(text: string): boolean {
  return !/^[\s"'#]|[\s"']$|[,;\t]|[\u0080-\uFFFF]/.test(text);
}

function named(text: string, address: string): Named {
  const name = ADDRESS.test(address) ? address : text;
  return { name, image: name };
}

/** A line as UTF-8, and where it may be something else, as that. */
function readingsOf({ bytes }: Line, text: string | undefined): Candidate[] {
  const utf8: Candidate[] = text === undefined ? [] : [{ name: text, encoding: "utf-8" }];
  if (bytes === undefined) return utf8;
  const others = chineseReadings(bytes).map((other) => ({
    name: other.text.replace(/\r$/, ""),
    encoding: other.encoding,
  }));
  return [...utf8, ...others];
}

/** The name without blanks around it, then without quotes around that, as Windows' "copy as path" puts them. */
function variantsOf(text: string): string[] {
  const bare = text.trim();
  const inner = /^(["'])(.*)\1$/.exec(bare)?.[2];
  return [bare, ...(inner === undefined || inner === "" ? [] : [inner])];
}

/** A line as well as it can be shown. */
function lossy({ bytes }: Line, text: string | undefined): string {
  return (
    text ??
    Buffer.from(bytes ?? [])
      .toString()
      .replace(/\r$/, "")
  );
}

function withoutReturn(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0x0d ? bytes.subarray(0, -1) : bytes;
}

async function isThere(name: string): Promise<boolean> {
  return (await stat(pathOf(name)).catch(() => undefined)) !== undefined;
}
