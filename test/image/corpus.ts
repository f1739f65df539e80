import { readFile } from "node:fs/promises";
import { join } from "node:path";
// @ts-expect-error -- a script without types
import { corpusFolder } from "../../scripts/chaos/corpus.mjs";

/** Every kind of picture, as `python/corpus/make_corpus.py` makes them; they are there to be read only. */
export class Corpus {
  readonly #folder: string;
  readonly files: readonly { readonly file: string; readonly kind: string }[];

  private constructor(folder: string, files: Corpus["files"]) {
    this.#folder = folder;
    this.files = files;
  }

  static async open(): Promise<Corpus> {
    const folder = await (corpusFolder as () => Promise<string>)();
    const index = await readFile(join(folder, "corpus.json"), "utf8");
    const files: Corpus["files"] = JSON.parse(index);
    return new Corpus(folder, files);
  }

  async read(file: string): Promise<Uint8Array> {
    return new Uint8Array(await readFile(join(this.#folder, file)));
  }
}
