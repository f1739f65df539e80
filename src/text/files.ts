/**
 * Files of vocabularies, read and written in Node. Node's modules are asked for when they are needed: what imports this file
 * is loaded by browsers too.
 */
import { IsotorchError, messageOf } from "../base/errors.ts";
import { shown } from "../base/text/shown.ts";
import { jsonOf, mergesText, readMerges, readVocab, vocabText } from "./formats.ts";
import { readTokenizerJson, tokenizerJson } from "./tokenizer-json.ts";
import { bad } from "./vocabulary.ts";
import type { Vocabulary, Written } from "./vocabulary.ts";
import { isRecord } from "../base/files/json.ts";

const GPT2 = "../../models/vocab.bpe";
/** Names of special tokens where no file says which they are: `<|endoftext|>`, `<s>`, `[PAD]`. */
const SPECIAL = /^(?:<[^<>]+>|\[[A-Z_]+\])$/;

type Modules = Pick<typeof process, "getBuiltinModule">;

/** @throws IsotorchError `ENVIRONMENT_BROKEN` where there are no files. */
function node(): Modules {
  const host: unknown = Reflect.get(globalThis, "process");
  if (typeof host === "object" && host !== null && "getBuiltinModule" in host) return host as Modules;
  throw new IsotorchError("ENVIRONMENT_BROKEN", "Here are no files: this is not Node.js.", {
    hint: "Fetch the text of merges.txt, and make `Tokenizer.from(text)` of it.",
  });
}

/** OpenAI's merges, which the package has. */
export function readGpt2(): Written {
  const fs = node().getBuiltinModule("node:fs");
  const merges = readMerges(fs.readFileSync(new URL(GPT2, import.meta.url), "utf8"));
  return { merges, specialTokens: ["<|endoftext|>"] };
}

/**
 * The vocabulary in a folder or a file: `tokenizer.json`, or `merges.txt` (`vocab.bpe`) with the `vocab.json` (`encoder.json`)
 * beside it where there is one.
 */
export async function readVocabularyFiles(path: string): Promise<Written> {
  const at = node().getBuiltinModule("node:path");
  if (path.endsWith(".json")) return readTokenizerFile(path);
  if (/\.(?:txt|bpe)$/.test(path)) return readPair(path, at.dirname(path));
  const whole = at.join(path, "tokenizer.json");
  if (await exists(whole)) return readTokenizerFile(whole);
  for (const name of ["merges.txt", "vocab.bpe"])
    if (await exists(at.join(path, name))) return readPair(at.join(path, name), path);
  throw new IsotorchError("INPUT_NOT_FOUND", `${shown(path)} has no tokenizer.json and no merges.txt.`, {
    hint: "Name a folder with a vocabulary in it, or one of its files.",
  });
}

async function readTokenizerFile(path: string): Promise<Written> {
  const value = jsonOf(await readText(path), path);
  if (isRecord(value)) return readTokenizerJson(value);
  throw bad(`${shown(path)} is no tokenizer.json.`);
}

async function readPair(merges: string, folder: string): Promise<Written> {
  const at = node().getBuiltinModule("node:path");
  const pairs = readMerges(await readText(merges));
  for (const name of ["vocab.json", "encoder.json"]) {
    const file = at.join(folder, name);
    if (!(await exists(file))) continue;
    const vocab = readVocab(await readText(file));
    const made = new Set(pairs.map((pair) => pair.join("")));
    const specialTokens = Object.keys(vocab).filter((token) => !made.has(token) && SPECIAL.test(token));
    return { merges: pairs, vocab, specialTokens };
  }
  return { merges: pairs };
}

async function exists(path: string): Promise<boolean> {
  const fs = node().getBuiltinModule("node:fs/promises");
  return fs.access(path).then(
    () => true,
    () => false,
  );
}

async function readText(path: string): Promise<string> {
  const fs = node().getBuiltinModule("node:fs/promises");
  try {
    return await fs.readFile(path, "utf8");
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const code = isMissing ? "INPUT_NOT_FOUND" : "INPUT_UNREADABLE";
    throw new IsotorchError(code, `${shown(path)} cannot be read: ${messageOf(cause)}.`, { cause });
  }
}

/** Writes the files of a vocabulary into a folder, which is made; each is there whole, the old one or the new one. */
export async function writeVocabularyFiles(folder: string, vocabulary: Vocabulary): Promise<void> {
  const at = node().getBuiltinModule("node:path");
  const fs = node().getBuiltinModule("node:fs/promises");
  const files = {
    "vocab.json": `${vocabText(vocabulary)}\n`,
    "merges.txt": mergesText(vocabulary),
    "tokenizer.json": `${JSON.stringify(tokenizerJson(vocabulary))}\n`,
  };
  try {
    await fs.mkdir(folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      const temporary = at.join(folder, `${name}.${crypto.randomUUID()}`);
      await fs.writeFile(temporary, text, { flag: "wx" });
      await fs.rename(temporary, at.join(folder, name)).catch(async (error: unknown) => {
        await fs.rm(temporary, { force: true });
        throw error;
      });
    }
  } catch (cause) {
    throw new IsotorchError("OUTPUT_FAILED", `The vocabulary cannot be written: ${messageOf(cause)}.`, {
      cause,
    });
  }
}
