import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { TextClimb } from "../../../src/parity/text/ladder.ts";
import type { TextLadder } from "../../../src/parity/text/ladder.ts";
import { OurTexts } from "../../../src/parity/text/ours.ts";
import { TextReference } from "../../../src/parity/text/reference.ts";
import type { Way } from "../../../src/parity/text/stages.ts";
import type * as scripts from "../../../src/python/script.ts";
import { PYTHON } from "../../python.ts";
import { writeNetwork, writeSwapped } from "./network.ts";

/** Which worker is started: the one of this repository, or a copy with one thing changed. */
const worker = vi.hoisted(() => ({ script: undefined as string | undefined }));
vi.mock("../../../src/python/script.ts", async (original) => {
  const real = await original<typeof scripts>();
  return {
    ...real,
    get WORKER_SCRIPT() {
      return worker.script ?? real.WORKER_SCRIPT;
    },
  };
});

const PROMPT = "in the end the god and the other";
const DRAWN = { maxTokens: 4, temperature: 0.9, topK: 40, topP: 0.95 };
const WAYS: Way[] = [
  { name: "greedy", maxTokens: 4, temperature: 0, topK: 0, topP: 1, seed: 0 },
  { name: "seed-7", ...DRAWN, seed: 7 },
];

const FUSED_ATTENTION = `
        seen = [] if seen is None else seen
        seen.append(weights)
        if hasattr(F, "scaled_dot_product_attention"):
            fused = F.scaled_dot_product_attention(query, key, value, is_causal=query.size(-2) > 1)
        else:
            # Before torch 2 as its plain form does it: each side by the root of the scale.
            root = query.size(-1) ** -0.25
            scores = torch.matmul(query * root, (key * root).transpose(-1, -2))
            fused = F.softmax(self._masked(scores), dim=-1) @ value
        joined = fused.permute(0, 2, 1, 3).contiguous().view(given.shape)
`;

let scratch: string;
let reference: TextReference;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "text-mutants-test-"));
  await writeNetwork(join(scratch, "network"));
  await writeSwapped(join(scratch, "network"), join(scratch, "swapped"));
  reference = await TextReference.start({
    reference: "plain",
    ...files(),
    python: PYTHON,
    threads: 1,
  });
});
afterAll(async () => {
  await reference.close();
  rmSync(scratch, { recursive: true, force: true });
});

function files() {
  const folder = join(scratch, "network");
  return {
    checkpoint: join(folder, "model.safetensors"),
    config: join(folder, "config.json"),
    vocabulary: folder,
  };
}

/** A copy of the worker with one passage of its GPT-2 in another form. */
function mutant(find: string, put: string): string {
  const copy = mkdtempSync(join(scratch, "python-"));
  cpSync(
    fileURLToPath(new URL("../../../python/isotorch_worker", import.meta.url)),
    join(copy, "isotorch_worker"),
    {
      recursive: true,
    },
  );
  const file = join(copy, "isotorch_worker", "tasks", "text_generation", "gpt2.py");
  const parts = readFileSync(file, "utf8").split(find);
  expect(parts, find).toHaveLength(2);
  writeFileSync(file, parts.join(put));
  return join(copy, "isotorch_worker", "__main__.py");
}

async function climbed(script: string | undefined, network = "network"): Promise<TextLadder> {
  worker.script = script;
  const ours = await OurTexts.start({
    weights: join(scratch, network),
    device: "cpu",
    threads: 1,
    python: PYTHON,
  });
  try {
    const trace = await ours.trace(PROMPT, WAYS);
    const { tokenizer } = ours.generator;
    const climb = new TextClimb(trace, { textOf: (id) => tokenizer.textOf(id) });
    const ids = trace.kind === "traced" ? trace.ids : undefined;
    const stopIds = [tokenizer.specialTokens["<|endoftext|>"] ?? -1];
    return climb.ladder(await reference.trace({ prompt: PROMPT, ids, ways: WAYS, stopIds }, climb));
  } finally {
    worker.script = undefined;
    await ours.close();
  }
}

function differing({ rungs }: TextLadder): string[] {
  return rungs.filter(({ outcome }) => outcome === "differs").map(({ stage }) => stage);
}

test("as it is, no bit differs at any stage", async () => {
  const ladder = await climbed(undefined);
  expect(differing(ladder)).toEqual([]);
  expect(ladder).toMatchObject({ verdict: "equal", firstDivergence: null });
  const embeddings = ["tokenEmbeddings", "positionEmbeddings"];
  const layers = ["attention.0", "hidden.0", "attention.1", "hidden.1"];
  const greedy = ["steps.greedy", "ids.greedy", "text.greedy"];
  const drawn = ["steps.seed-7", "ids.seed-7", "text.seed-7"];
  const all = ["tokens", ...embeddings, ...layers, "norm", "logits", ...greedy, ...drawn];
  expect(ladder.rungs.map(({ stage }) => stage)).toEqual(all);
});

describe("with one thing changed, the ladder names", () => {
  test("the first layer's output, when GELU is torch's fused one", async () => {
    const ladder = await climbed(
      mutant(
        "    return 0.5 * given * (1.0 + torch.tanh(inside))",
        '    return F.gelu(given, approximate="tanh") + 0 * inside',
      ),
    );
    expect(ladder).toMatchObject({ verdict: "diverged", firstDivergence: "hidden.0" });
    expect(differing(ladder)).toEqual(expect.arrayContaining(["hidden.0", "norm", "logits", "steps.greedy"]));
  });

  test("the first layer's output, when attention is torch's fused one", async () => {
    const ladder = await climbed(
      mutant(
        "        joined = torch.matmul(weights, value).permute(0, 2, 1, 3).contiguous().view(given.shape)\n",
        FUSED_ATTENTION.slice(1),
      ),
    );
    expect(ladder).toMatchObject({ verdict: "diverged", firstDivergence: "hidden.0" });
  });

  test("the logits of the first step, when the head is over the wrong row", async () => {
    const ladder = await climbed(
      mutant("return self.head(hidden)[:, -1, :]", "return self.head(hidden)[:, 0, :]"),
    );
    expect(ladder).toMatchObject({ verdict: "diverged", firstDivergence: "steps.greedy" });
    const rung = ladder.rungs.find(({ stage }) => stage === "steps.greedy");
    expect(rung).toMatchObject({ note: "first at step 1 of 4" });
  });

  test("tokens and nothing else, when two merges are swapped", async () => {
    const ladder = await climbed(undefined, "swapped");
    expect(ladder).toMatchObject({ verdict: "diverged", firstDivergence: "tokens" });
    expect(differing(ladder)).toEqual(["tokens"]);
    const rung = ladder.rungs.find(({ stage }) => stage === "tokens");
    expect(rung).toMatchObject({
      note: expect.stringMatching(/^token 3 is \d+ "t" here and \d+ "th" there$/),
    });
  });
});

test("transformers computes where the environment has it, and is missed by name where not", async () => {
  const has = spawnSync(PYTHON, ["-I", "-c", "import transformers, tokenizers"]).status === 0;
  const started = TextReference.start({ ...files(), reference: "transformers", python: PYTHON, threads: 1 });
  if (!has) {
    return expect(started).rejects.toMatchObject({
      code: "ENVIRONMENT_BROKEN",
      message: expect.stringContaining("transformers cannot be imported"),
      hint: expect.stringContaining("transformers and tokenizers"),
    });
  }
  const theirs = await started;
  expect(theirs.info).toMatchObject({ tokens: expect.stringMatching(/^tokenizers \d/) });
  await theirs.close();
});
