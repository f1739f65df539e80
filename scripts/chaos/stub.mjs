// Supervised stub workers, and calls whose answer tells whose they are.
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { withinDeadline } from "../../dist/base/time/deadline.js";
import { DEFAULT_POLICY } from "../../dist/worker/supervision/policy.js";
import { Supervisor } from "../../dist/worker/supervisor.js";
import { floatsOf, frameOf } from "../../dist/protocol/wire.js";

export const PYTHON = process.env.ISOTORCH_PYTHON ?? "/usr/bin/python3";
const STUB = fileURLToPath(new URL("../../test/fixtures/workers/stub.py", import.meta.url));
const LOAD = {
  task: "image-classification",
  model: "resnet101",
  checkpoint: "/nowhere.pth",
  sha256: null,
  trust: true,
  seed: null,
  transforms: "IMAGENET1K_V1",
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
    session: (generation) => ({
      command: { python: PYTHON, args, variables: {} },
      generation,
      load: LOAD,
      timeouts: { helloMs: 60_000, readyMs: 60_000 },
      onProgress: () => undefined,
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
    const reply = await supervisor.request(
      "classify",
      { handoff: "pixels", topK: 1, include: [], maxPixels: 1, deadlineMs: timeoutMs || null },
      [{ name: "pixels", dtype: "|u1", shape: [1, 1, data.byteLength / 3, 3], data }],
      { signal: either },
    );
    return floatsOf(frameOf(reply, "scores"))[0];
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
