/** From a prompt to its continuation, as statements at a Python prompt, with what isotorch's network answered. */
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { GeneratedText } from "../../../generation/generator.ts";
import type { Inspection } from "../../../generation/inspection.ts";
import type { StageArray } from "../../../tasks/inspect.ts";
import type { Tokenizer } from "../../../text/tokenizer.ts";
import { printTensor } from "../print.ts";
import { reprBytes, reprList, reprText } from "../repr.ts";
import { type TutorialStep, step } from "../step.ts";

/** Where the plain scripts are. */
const SCRIPTS = fileURLToPath(new URL("../../../../python", import.meta.url));
const GPT2_MERGES = fileURLToPath(new URL("../../../../models/vocab.bpe", import.meta.url));

/** Numbers of a vector that are shown. */
const NUMBERS = 8;
export const NEAREST = 5;
export const CANDIDATES = 5;
/** torch shortens longer rows. */
const LONGEST_ROW = 1_000;

/** Everything that the outputs are made from. */
export interface GptFacts {
  readonly prompt: string;
  readonly tokenizer: Tokenizer;
  readonly files: {
    readonly checkpoint: string;
    readonly config: string;
    /** The vocabulary's: `merges.txt` and `vocab.json`, or `tokenizer.json`; null for OpenAI's merges alone. */
    readonly vocabulary: { readonly folder: string; readonly isJson: boolean } | null;
  };
  /** With embeddings, nearest tokens and attention. */
  readonly inspection: Inspection;
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly vocabulary: number;
  /** One greedy token, with its candidates. */
  readonly next: GeneratedText;
  /** Two texts whose seeds were drawn, and the first one's again. */
  readonly answers: readonly [first: GeneratedText, second: GeneratedText, again: GeneratedText];
  readonly maxTokens: number;
  /** Ids that end a text. */
  readonly stop: readonly number[];
}

const ENCODE = `def encode(text):
    found = []
    for word in re.findall(split, text):
        pieces = [letters[byte] for byte in word.encode('utf-8')]
        while len(pieces) > 1:
            pair = min(zip(pieces, pieces[1:]), key=lambda pair: ranks.get(pair, len(ranks)))
            if pair not in ranks:
                break
            pieces = merge(pieces, pair)
        found += [ids[piece] for piece in pieces]
    return found`;

const NAME = `def name(token):
    return bytes(order[list(letters.values()).index(letter)] for letter in pieces[token])`;

const TEXTS = `def texts(tokens):
    return [name(token).decode('utf-8', 'replace') for token in tokens]`;

export function tokenSteps({ prompt, tokenizer, files, inspection }: GptFacts): TutorialStep[] {
  const names = tokenizer.pieces(prompt).map(({ bytes }) => reprBytes(bytes));
  return [
    step(
      "letters = {byte: chr(byte if byte in seen else 256 + order.index(byte) - len(seen)) for byte in order}",
    ),
    ...vocabularySteps(files.vocabulary),
    step(ENCODE),
    step("pieces = {token: piece for piece, token in ids.items()}"),
    step(NAME),
    step(TEXTS),
    step(`tokens = encode(${reprText(prompt)})`),
    step("tokens", reprList(inspection.ids.map(String))),
    step("[name(token) for token in tokens]", reprList(names)),
  ];
}

/** The merges by their ranks, and the ids of pieces. */
function vocabularySteps(given: GptFacts["files"]["vocabulary"]): TutorialStep[] {
  if (given?.isJson === true) {
    const file = join(given.folder, "tokenizer.json");
    return [
      opened((name) => `model = json.load(open(${name}, encoding='utf-8'))['model']`, file),
      step("pairs = [tuple(pair.split() if isinstance(pair, str) else pair) for pair in model['merges']]"),
      step("ranks = {pair: rank for rank, pair in enumerate(pairs)}"),
      step("ids = model['vocab']"),
    ];
  }
  const merges = given === null ? GPT2_MERGES : join(given.folder, "merges.txt");
  const pairs = [
    opened((name) => `lines = open(${name}, encoding='utf-8').read().split('\\n')`, merges),
    step("pairs = [tuple(line.split()) for line in lines if line and not line.startswith('#version')]"),
    step("ranks = {pair: rank for rank, pair in enumerate(pairs)}"),
  ];
  if (given !== null)
    return [
      ...pairs,
      opened((name) => `ids = json.load(open(${name}, encoding='utf-8'))`, join(given.folder, "vocab.json")),
    ];
  return [
    ...pairs,
    step("ids = {piece: number for number, piece in enumerate([*letters.values(), *map(''.join, pairs)])}"),
  ];
}

export function embeddingSteps({
  files,
  inspection,
  tokenizer,
  vocabulary,
  width,
}: GptFacts): TutorialStep[] {
  const near = inspection.nearest?.at(-1)?.slice(0, NEAREST) ?? [];
  const tokens = inspection.ids.length;
  const made = (checkpoint: string, config: string): string =>
    `gpt = PlainGpt2(Namespace(checkpoint=${reprText(checkpoint)}, config=${reprText(config)}, sha256=None, head=None, scores=None))`;
  return [
    step("import torch"),
    step("from argparse import Namespace"),
    {
      python: "from plain_gpt2 import PlainGpt2",
      runs: `import sys; sys.path.insert(0, ${reprText(SCRIPTS)}); from plain_gpt2 import PlainGpt2`,
      output: "",
    },
    {
      python: made(basename(files.checkpoint), basename(files.config)),
      runs: made(files.checkpoint, files.config),
      output: "",
    },
    step("table = gpt.state['wte.weight']"),
    step("table.shape", shapeText([vocabulary, width])),
    step("embeddings = table[tokens]"),
    step("embeddings.shape", shapeText([tokens, width])),
    step(`embeddings[0, :${NUMBERS}]`, vector(rowOf(inspection.tokenEmbeddings, 0).slice(0, NUMBERS))),
    step("lengths = table.norm(dim=1)"),
    step("cosines = torch.mv(table, table[tokens[-1]]) / lengths / lengths[tokens[-1]]"),
    step("near = cosines.sort(descending=True, stable=True)"),
    step(`texts(near.indices[1:${NEAREST + 1}].tolist())`, textsOf(tokenizer, near)),
    step(`near.values[1:${NEAREST + 1}]`, vector(Float32Array.from(near, ({ cosine }) => cosine))),
  ];
}

export function positionSteps({ inspection }: GptFacts): TutorialStep[] {
  const { tokenEmbeddings, positionEmbeddings } = inspection;
  const sum = rowOf(tokenEmbeddings, 0).map((value, at) => value + (rowOf(positionEmbeddings, 0)[at] ?? 0));
  return [
    step("positions = gpt.state['wpe.weight'][:len(tokens)]"),
    step(`positions[0, :${NUMBERS}]`, vector(rowOf(positionEmbeddings, 0).slice(0, NUMBERS))),
    step("x = embeddings + positions"),
    step(`x[0, :${NUMBERS}]`, vector(sum.slice(0, NUMBERS))),
  ];
}

export function attentionSteps({ inspection, heads }: GptFacts): TutorialStep[] {
  const tokens = inspection.ids.length;
  const shown = Math.min(2, heads);
  return [
    step("given, looks = gpt.attend(0, gpt.norm('h.0.ln_1', x[None]), [])"),
    step("looks.shape", shapeText([1, heads, tokens, tokens])),
    ...Array.from({ length: shown }, (_, head) =>
      step(
        `looks[0, ${head}, -1]`,
        vector(lastRowOf(inspection.attention, head, tokens).slice(0, LONGEST_ROW)),
      ),
    ),
    step("looks[0].sum(dim=-1).allclose(torch.ones(()))", "True"),
  ];
}

export function candidateSteps({ next, tokenizer }: GptFacts): TutorialStep[] {
  const candidates = next.tokens[0]?.candidates ?? [];
  return [
    step("from reference_text import DEFAULTS"),
    step("_, logits = gpt.generate(tokens, {**DEFAULTS, 'maxTokens': 1, 'temperature': 0})"),
    step("likeliest = logits[0].log_softmax(-1).sort(descending=True, stable=True)"),
    step(`texts(likeliest.indices[:${CANDIDATES}].tolist())`, textsOf(tokenizer, candidates)),
    step(`likeliest.values[:${CANDIDATES}]`, vector(Float32Array.from(candidates, ({ logprob }) => logprob))),
  ];
}

export function generationSteps({ answers, maxTokens, stop }: GptFacts): TutorialStep[] {
  const answer = `def answer(seed):
    how = {**DEFAULTS, 'maxTokens': ${maxTokens}, 'seed': seed, 'stopIds': ${reprList(stop.map(String))}}
    found, _ = gpt.generate(tokens, how)
    return [token for token in found if token not in how['stopIds']]`;
  const [first, second] = answers;
  return [
    step(answer),
    step(`first = answer(${first.seed})`),
    step("first", reprList(first.ids.map(String))),
    step("b''.join(map(name, first)).decode('utf-8', 'replace')", reprText(first.text)),
    step(`b''.join(map(name, answer(${second.seed}))).decode('utf-8', 'replace')`, reprText(second.text)),
  ];
}

export function againSteps({ answers }: GptFacts): TutorialStep[] {
  const [first, , again] = answers;
  const isSame = again.ids.join() === first.ids.join();
  return [
    step(`b''.join(map(name, answer(${first.seed}))).decode('utf-8', 'replace')`, reprText(again.text)),
    step(`answer(${first.seed}) == first`, isSame ? "True" : "False"),
  ];
}

function opened(statement: (name: string) => string, file: string): TutorialStep {
  return { python: statement(reprText(basename(file))), runs: statement(reprText(file)), output: "" };
}

function textsOf(tokenizer: Tokenizer, tokens: readonly { readonly id: number }[]): string {
  return reprList(tokens.map(({ id }) => reprText(tokenizer.decode([id]))));
}

function vector(values: Float32Array): string {
  return printTensor(values, [values.length]);
}

function shapeText(shape: readonly number[]): string {
  return `torch.Size([${shape.join(", ")}])`;
}

function rowOf(array: StageArray | undefined, row: number): Float32Array {
  const width = array?.shape[1] ?? 0;
  return array?.data.subarray(row * width, (row + 1) * width) ?? new Float32Array();
}

/** Of the first layer: where the last token looks. */
function lastRowOf(array: StageArray | undefined, head: number, tokens: number): Float32Array {
  const start = (head * tokens + tokens - 1) * tokens;
  return array?.data.subarray(start, start + tokens) ?? new Float32Array();
}
