/** The first half of the tutorial, walked through with a network: chapter by chapter, beside plain Python text. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { IsotorchError } from "../../../base/errors.ts";
import { shown } from "../../../base/text/shown.ts";
import { type TextCheckpoint, resolveTextCheckpoint } from "../../../checkpoints/text/resolve.ts";
import { shippedFile } from "../../../checkpoints/text/table.ts";
import { createGenerator } from "../../../generation/generator.ts";
import type { GeneratedText } from "../../../generation/generator.ts";
import type { GeneratorInfo } from "../../../generation/info.ts";
import type { Inspection } from "../../../generation/inspection.ts";
import type { GeneratorOptions } from "../../../generation/options.ts";
import { type TutorialCheck, checkWalk } from "../check.ts";
import type { TutorialStep } from "../step.ts";
import {
  CANDIDATES,
  type GptFacts,
  againSteps,
  attentionSteps,
  candidateSteps,
  embeddingSteps,
  generationSteps,
  positionSteps,
  tokenSteps,
} from "./network.ts";
import { byteSteps, pairSteps } from "./pairs.ts";
import type { ChapterName } from "./words.ts";

const DEFAULT_PROMPT = "In the beginning God";
/** Tokens of each answer. */
const MAX_TOKENS = 24;

/** What Python's `re` splits as GPT-2 does; other numbers and controls it takes for something else. */
const SPLITS_ALIKE = /^[\p{L}\p{M}\p{Nd}\p{P}\p{S}\p{Zs}\n\t]+$/u;

export interface GptWalkOptions extends GeneratorOptions {
  /** What the network continues. @default "In the beginning God" */
  readonly prompt?: string;
  /** The text whose byte pairs are counted. */
  readonly corpus: string;
}

export interface GptWalk {
  readonly chapters: readonly { readonly name: ChapterName; readonly steps: readonly TutorialStep[] }[];
  readonly prompt: string;
  readonly info: GeneratorInfo;
  readonly inspection: Inspection;
  /** One token with its candidates. */
  readonly next: GeneratedText;
  /** Two answers whose seeds were drawn. */
  readonly answers: readonly [GeneratedText, GeneratedText];
  readonly check: TutorialCheck;
}

/**
 * Goes through it on the CPU, and has plain Python type every statement: `python/plain_gpt2.py` for the network, a few lines for
 * the rest.
 *
 * @throws IsotorchError what `createGenerator` throws; `WEIGHTS_NOT_FOUND` where the model that ships is not there; `INVALID_INPUT`
 * for a prompt that plain Python's `re` splits otherwise.
 */
export async function walkGpt({
  prompt = DEFAULT_PROMPT,
  corpus,
  ...options
}: GptWalkOptions): Promise<GptWalk> {
  if (!SPLITS_ALIKE.test(prompt))
    throw new IsotorchError(
      "INVALID_INPUT",
      `The plain Python text cannot split the prompt ${shown(prompt, 80)}.`,
      {
        hint: "Use letters, digits, punctuation and blanks; `isotorch parity --model gpt2` takes every text.",
      },
    );
  await refuseMissing(options);
  const facts = await gather(prompt, { ...options, device: "cpu" });
  const { pairs, merges } = pairSteps(corpus);
  const chapters = [
    { name: "bytes", steps: byteSteps(corpus) },
    { name: "pairs", steps: pairs },
    { name: "merges", steps: merges },
    { name: "tokens", steps: tokenSteps(facts) },
    { name: "embedding", steps: embeddingSteps(facts) },
    { name: "positions", steps: positionSteps(facts) },
    { name: "attention", steps: attentionSteps(facts) },
    { name: "candidates", steps: candidateSteps(facts) },
    { name: "generation", steps: generationSteps(facts) },
    { name: "again", steps: againSteps(facts) },
  ] as const;
  const { inspection, next, info } = facts;
  const steps = chapters.flatMap((chapter) => chapter.steps);
  const check = await checkWalk({ steps, bits: bitsOf(facts) }, info, options.signal);
  const [first, second] = facts.answers;
  return { chapters, prompt, info, inspection, next, answers: [first, second], check };
}

async function gather(
  prompt: string,
  options: GeneratorOptions,
): Promise<GptFacts & { readonly info: GeneratorInfo }> {
  await using generator = await createGenerator(options);
  const info = generator.info();
  const { signal } = options;
  const call = signal === undefined ? {} : { signal };
  const include = { embeddings: true, nearest: true, attention: true };
  const inspection = await generator.inspect(prompt, { include, ...call });
  const maxTokens = Math.max(1, Math.min(MAX_TOKENS, info.context - inspection.ids.length));
  const next = await generator.generate(prompt, {
    maxTokens: 1,
    temperature: 0,
    candidates: CANDIDATES,
    ...call,
  });
  const first = await generator.generate(prompt, { maxTokens, ...call });
  const second = await generator.generate(prompt, { maxTokens, ...call });
  const again = await generator.generate(prompt, { maxTokens, seed: first.seed, ...call });
  const end = generator.tokenizer.specialTokens["<|endoftext|>"];
  const checkpoint = await resolveTextCheckpoint(options.weights ?? "pretrained", filesOptions(options));
  const { layers, heads, width, vocabulary } = info;
  return {
    prompt,
    tokenizer: generator.tokenizer,
    files: {
      checkpoint: info.weights.path,
      config: checkpoint.config,
      vocabulary: await vocabularyOf(checkpoint),
    },
    inspection,
    layers,
    heads,
    width,
    vocabulary,
    next,
    answers: [first, second, again],
    maxTokens,
    stop: end === undefined ? [] : [end],
    info,
  };
}

/** The same files once more: they are there by now. */
function filesOptions({ model, sha256, cacheDir, mirror, offline, signal }: GeneratorOptions): object {
  const given = { model, sha256, cacheDir, mirror, offline, signal };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

async function vocabularyOf({ tokenizer }: TextCheckpoint): Promise<GptFacts["files"]["vocabulary"]> {
  if (tokenizer === null) return null;
  const isJson = await exists(join(tokenizer, "tokenizer.json"));
  return { folder: tokenizer, isJson };
}

/** Values that plain Python has under these names. */
function bitsOf({ inspection, width, heads }: GptFacts): Record<string, Float32Array> {
  const { tokenEmbeddings, positionEmbeddings, attention } = inspection;
  const tokens = inspection.ids.length;
  const embeddings = tokenEmbeddings?.data ?? new Float32Array();
  const positions = positionEmbeddings?.data ?? new Float32Array();
  return {
    embeddings,
    x: Float32Array.from({ length: tokens * width }, (_, at) => (embeddings[at] ?? 0) + (positions[at] ?? 0)),
    looks: attention?.data.slice(0, heads * tokens * tokens) ?? new Float32Array(),
  };
}

/** @throws IsotorchError `WEIGHTS_NOT_FOUND` where this package is without the model that ships with it. */
async function refuseMissing({ model, weights = "pretrained" }: GeneratorOptions): Promise<void> {
  if (model !== "tiny") return;
  const needed = weights === "pretrained" ? ["config.json", "model.safetensors"] : ["config.json"];
  for (const name of needed) {
    const file = shippedFile(`${model}/${name}`);
    if (await exists(file)) continue;
    throw new IsotorchError(
      "WEIGHTS_NOT_FOUND",
      `The tiny model is not in this package: ${shown(file)} is missing.`,
      {
        hint: "`--model gpt2` downloads GPT-2, 548 MB, and walks with it; with `--weights untrained:0` besides it is made here, and its texts mean nothing.",
      },
    );
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
