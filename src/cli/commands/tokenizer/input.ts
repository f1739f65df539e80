/** Texts and vocabularies that the commands about tokens are given. */
import { readFile, stat } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { IsotorchError, messageOf } from "../../../base/errors.ts";
import { hasCode } from "../../../base/files/files.ts";
import { pathOf } from "../../../base/text/names.ts";
import { shown } from "../../../base/text/shown.ts";
import { NAMES, readText } from "../../../base/text/text.ts";
import { Tokenizer } from "../../../text/tokenizer.ts";
import type { Values } from "../../flags/flags.ts";
import { say } from "../../terminal/terminal.ts";

/** @returns the text of a file, `-` for stdin. A byte order mark is not part of it, and people's encodings are told as everywhere. */
export async function readTextFile(name: string): Promise<string> {
  const bytes = name === "-" ? await buffer(process.stdin) : await readBytes(name);
  const reading = readText(bytes);
  const what = name === "-" ? "The text on stdin" : shown(name);
  if (reading.outcome === "text") {
    const { encoding, isMarked, text } = reading;
    if (encoding !== "utf-8" && !isMarked)
      say(`${what} is not UTF-8 and is read as ${NAMES[encoding]}.\n`, process.stderr);
    return text;
  }
  throw new IsotorchError("INPUT_UNREADABLE", `${what} ${reading.why}.`, { hint: reading.hint });
}

async function readBytes(name: string): Promise<Uint8Array> {
  try {
    return await readFile(pathOf(name));
  } catch (cause) {
    const code = hasCode(cause, "ENOENT") ? "INPUT_NOT_FOUND" : "INPUT_UNREADABLE";
    throw new IsotorchError(code, `${shown(name)} cannot be read: ${messageOf(cause)}.`, { cause });
  }
}

export async function isFile(name: string): Promise<boolean> {
  return (await stat(pathOf(name)).catch(() => undefined))?.isFile() === true;
}

/** The tokenizer that `--vocab` names, GPT-2's without it. */
export function tokenizerOf({ vocab }: Values): Promise<Tokenizer> | Tokenizer {
  return typeof vocab === "string" ? Tokenizer.load(vocab) : Tokenizer.gpt2();
}
