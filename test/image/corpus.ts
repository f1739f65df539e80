import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { PYTHON } from "../python.ts";

const SCRIPT = fileURLToPath(new URL("../../python/corpus/make_corpus.py", import.meta.url));

/** A folder with every kind of picture, made by `python/corpus/make_corpus.py`; removed with it. */
export class Corpus implements AsyncDisposable {
  readonly #folder: string;
  readonly files: readonly { readonly file: string; readonly kind: string }[];

  private constructor(folder: string, files: Corpus["files"]) {
    this.#folder = folder;
    this.files = files;
  }

  static async make(): Promise<Corpus> {
    const folder = await mkdtemp(join(tmpdir(), "isotorch-corpus-"));
    await promisify(execFile)(PYTHON, [SCRIPT, folder]);
    const index = await readFile(join(folder, "corpus.json"), "utf8");
    const files: Corpus["files"] = JSON.parse(index);
    return new Corpus(folder, files);
  }

  async read(file: string): Promise<Uint8Array> {
    return new Uint8Array(await readFile(join(this.#folder, file)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }
}
