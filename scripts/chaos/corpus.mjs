// The pictures of python/corpus/make_corpus.py: made once by each Python, and only read afterwards.
import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { CACHE_DIR } from "./real.mjs";
import { PYTHON } from "./stub.mjs";

const SOURCE = fileURLToPath(new URL("../../python/corpus/", import.meta.url));
const VERSIONS = "import numpy, PIL; print(numpy.__version__, PIL.__version__)";
const run = promisify(execFile);

/** @returns the folder, with `corpus.json` in it */
export async function corpusFolder() {
  const folder = join(CACHE_DIR, `corpus-${await key()}`);
  if (existsSync(folder)) return folder;
  await mkdir(CACHE_DIR, { recursive: true });
  // Whole or not at all, whoever else makes it meanwhile.
  const part = `${folder}.${randomUUID()}`;
  await run(PYTHON, [join(SOURCE, "make_corpus.py"), part]);
  try {
    await rename(part, folder);
  } catch (error) {
    await rm(part, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** Of what makes it: other pictures are another corpus. */
async function key() {
  const hash = createHash("sha256").update((await run(PYTHON, ["-c", VERSIONS])).stdout);
  const scripts = readdirSync(SOURCE).filter((name) => name.endsWith(".py"));
  for (const name of scripts.toSorted()) hash.update(name).update(readFileSync(join(SOURCE, name)));
  return hash.digest("hex").slice(0, 16);
}
