// One network in a real worker beside torchvision alone: logits and embeddings, by every handoff, one picture and several.
import { createClassifier } from "../../dist/index.js";
import { plainAnswers, sha256 } from "./plain.mjs";

const HANDOFFS = ["tensor", "pixels", "encoded"];

/**
 * @param model torchvision's name.
 * @param options `python`, `threads`, `cache` (a folder for its weights), `seconds` that it may take.
 * @returns `answers` that were compared, `differing` ones of these, by name, and what the worker said of `packing` and of `batches`.
 */
export async function forward(model, { python, threads, cache, seconds }) {
  const deadline = AbortSignal.timeout(seconds * 1000);
  const plain = await plainAnswers(model, { python, threads, cache, signal: deadline });
  const { file, images, answers: expected } = plain;

  const said = [];
  const logger = (text) => void said.push(text);
  const classifier = await createClassifier({
    model,
    weights: file,
    python,
    threads,
    device: "cpu",
    batch: { maxDelayMs: 200 },
    logger: { debug: logger, info: logger, warn: logger, error: logger },
    signal: deadline,
  });
  /** @type {{ answers: number, differing: string[] }} */
  const compared = { answers: 0, differing: [] };
  const ask = async (at, handoff, when) => {
    const include = { logits: true, embedding: true };
    const found = await classifier.classifyDetailed(images[at], {
      handoff,
      include,
      timeoutMs: 0,
      signal: deadline,
    });
    const { logits, embedding } = found;
    for (const [what, value] of Object.entries({ logits, embedding: embedding.data })) {
      compared.answers++;
      if (sha256(value) !== expected[at][what])
        compared.differing.push(`${what} of picture ${at} by ${handoff}, ${when}`);
    }
  };
  const all = (handoff, when) => Promise.all(images.map((_, at) => ask(at, handoff, when)));

  try {
    // After three answers the worker packs the convolutions, and then tries a batch.
    for (const handoff of HANDOFFS) await ask(0, handoff, "alone");
    for (let round = 0; round < 4 && !said.some((text) => text.includes("together:")); round++)
      await all("tensor", "in a trial");
    for (const handoff of HANDOFFS) await all(handoff, `${images.length} together, after packing`);
    await ask(1, "tensor", "alone, after packing");
  } finally {
    await classifier.close();
  }
  return {
    ...compared,
    packing: short(/(\d+ of \d+) convolutions are packed/, said),
    batches: short(/from now on (.*)/, said),
  };
}

function short(pattern, said) {
  return said.map((text) => pattern.exec(text)?.[1]).find(Boolean) ?? "-";
}
