// Supervised stub workers, and calls whose answer tells whose they are.
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { withinDeadline } from "../../dist/base/time/deadline.js";
import { DEFAULT_POLICY } from "../../dist/worker/supervision/policy.js";
import { Supervisor } from "../../dist/worker/supervisor.js";
import { startWorker } from "../../dist/worker/open.js";
import { classify } from "../../dist/tasks/classify.js";

export const PYTHON = process.env.ISOTORCH_PYTHON ?? "/usr/bin/python3";
const STUB = fileURLToPath(new URL("../../test/fixtures/workers/stub.py", import.meta.url));
const LOAD = {
  task: "image-classification",
  model: "resnet101",
  checkpoint: "/nowhere.pth",
  checkpointKey: null,
  sha256: null,
  seed: null,
  network: { transforms: "IMAGENET1K_V1", spec: null },
  device: "cpu",
  precision: "exact",
  threads: 1,
  maxBatch: 0,
};

/** A supervisor over stubs that take eight pictures at once, with short delays and a circuit that stays closed: the crashes here are ours. */
export function startStub({ journal = "/dev/null", workMs = 0, policy = {}, isProtected = false } = {}) {
  const args = [
    "-X",
    "utf8",
    "-u",
    STUB,
    "batches",
    journal,
    String(workMs),
    ...(isProtected ? ["protected"] : []),
  ];
  return Supervisor.start({
    policy: { ...DEFAULT_POLICY, restartDelaysMs: [20], maxExits: 1_000_000, ...policy },
    start: (hooks) =>
      startWorker({
        ...hooks,
        command: { python: PYTHON, args, variables: {} },
        load: LOAD,
        timeouts: { helloMs: 60_000, readyMs: 60_000 },
        onLog: () => undefined,
      }),
    onPhase: () => undefined,
  });
}

/** A text as the pixels of a picture, three bytes each; an encoded picture would go apart from the batches. */
function pixelsOf(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([bytes, Buffer.alloc((3 - (bytes.length % 3)) % 3, " ")]);
}

/** Sends a text as a picture, the way `classify()` does: with a deadline and the caller's signal. */
export function ask(supervisor, text, { signal, timeoutMs = 0 } = {}) {
  return withinDeadline({ ...(signal && { signal }), timeoutMs }, async (either) => {
    const data = pixelsOf(text);
    const pixels = { data, width: data.byteLength / 3, height: 1 };
    const content = classify.contentOf({
      picture: { handoff: "pixels", pixels },
      topK: 1,
      include: [],
      activation: "softmax",
      maxPixels: 1,
    });
    let ranking;
    await supervisor.run(
      { task: "classify", isReplayable: true, ...content },
      (reply) => (ranking = classify.partOf(reply)),
      { signal: either, deadlineMs: timeoutMs || null },
    );
    return ranking.scores[0];
  });
}

/** What the stub answers to a text: 24 bits of its SHA-256. */
export function digestOf(text) {
  return createHash("sha256").update(pixelsOf(text)).digest().readUIntBE(0, 3) / 2 ** 24;
}

/** How the journal names the execution of a text. */
export function runOf(text) {
  return `run ${createHash("sha256").update(pixelsOf(text)).digest("hex").slice(0, 16)}`;
}
