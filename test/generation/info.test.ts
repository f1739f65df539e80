/** What `info()` of a generator says of its files. */
import { expect, test } from "vitest";
import type { TextCheckpoint } from "../../src/checkpoints/text/resolve.ts";
import { describeGenerator } from "../../src/generation/info.ts";
import type { Environment } from "../../src/python/environment.ts";
import { READY } from "../worker/fakes.ts";

const NETWORK = {
  vocabulary: 50_257,
  context: 1_024,
  layers: 12,
  heads: 12,
  width: 768,
  headRows: "all",
  reference: "a fake",
} as const;

const OWN: TextCheckpoint = {
  model: null,
  weights: "./mine",
  path: "/mine/model.safetensors",
  config: "/mine/config.json",
  sha256: null,
  integrity: "unpinned",
  seed: null,
  trained: null,
  parameters: 1,
  tokenizer: null,
};

test("files of one's own without a tokenizer have GPT-2's, and that is said", () => {
  const ready = { ...READY, network: NETWORK, remarks: ["The weights are stored as float16."] };
  const environment = { kind: "explicit", reason: "asked for" } as Environment;
  const remarksOf = (checkpoint: TextCheckpoint): readonly string[] =>
    describeGenerator([ready], environment, checkpoint, { threads: 1, timeoutMs: 1 }).weights.remarks;
  expect(remarksOf(OWN)).toEqual([
    "The weights are stored as float16.",
    "No tokenizer lies beside the checkpoint; GPT-2's own is used.",
  ]);
  expect(remarksOf({ ...OWN, tokenizer: "/mine" })).toEqual(["The weights are stored as float16."]);
  // OpenAI's own checkpoints belong to it.
  expect(remarksOf({ ...OWN, model: "gpt2", trained: true })).toEqual(["The weights are stored as float16."]);
});
