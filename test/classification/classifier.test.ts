import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClassifier } from "../../src/classification/classifier.ts";
import type { Classifier } from "../../src/classification/classifier.ts";
import type { IsotorchError } from "../../src/base/errors.ts";
import { preprocess } from "../../src/classification/oneshot.ts";
import type { Handoff } from "../../src/classification/options.ts";
import { failureOf } from "../failure.ts";
import { workerInfo } from "../info.ts";
import { MODEL, UNTRAINED, checkpointOf, savedBy } from "../checkpoint.ts";
import { PYTHON } from "../python.ts";
import { STANDIN } from "../standin.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/images/", import.meta.url));
const PICTURES = readdirSync(EXAMPLES)
  .toSorted()
  .map((name) => join(EXAMPLES, name));
const [FIRST = "", SECOND = ""] = PICTURES;
const CHECKPOINT = checkpointOf(MODEL);
const PLAIN = fileURLToPath(new URL("../../python/plain.py", import.meta.url));

interface PlainAnswer {
  top5: { index: number; label: string; percent: number }[];
  tensor_sha256: string;
  logits_sha256: string;
}

let classifier: Classifier;
let scratch: string;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "classifier-test-"));
  classifier = await createClassifier(UNTRAINED);
});
afterAll(async () => {
  await classifier?.close();
  rmSync(scratch, { recursive: true, force: true });
});

/** The code of a failure that has a sentence and a hint besides. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  const { code, message, hint } = await failureOf(promise);
  expect(message).toMatch(/^[^a-z][\s\S]*[.…]$/);
  expect(hint).not.toBe("");
  return code;
}

function sha256(array: Float32Array | undefined): string {
  if (array === undefined) throw new Error("nothing to hash");
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return createHash("sha256").update(bytes).digest("hex");
}

describe("bad input gets a typed error and costs nobody else anything:", () => {
  const bad: [string, () => unknown, string][] = [
    ["a missing path", () => join(scratch, "missing.jpg"), "INPUT_NOT_FOUND"],
    ["a directory", () => scratch, "INPUT_UNREADABLE"],
    ["an empty file", () => fileOf("empty.jpg", ""), "UNSUPPORTED_FORMAT"],
    ["text", () => fileOf("text.jpg", "not a picture"), "UNSUPPORTED_FORMAT"],
    ["a truncated JPEG", () => truncated(), "DECODE_FAILED"],
    ["a number", () => 7, "INVALID_INPUT"],
    ["a tensor of another shape", () => ({ data: new Float32Array(12), shape: [1, 3, 2, 2] }), "BAD_TENSOR"],
    [
      "a tensor with NaN",
      () => ({ data: new Float32Array(150528).fill(Number.NaN), shape: [1, 3, 224, 224] }),
      "BAD_TENSOR",
    ],
  ];

  test.each(bad)("%s", async (_, make, code) => {
    const good = classifier.classify(FIRST);
    expect(await codeOf(classifier.classify(make() as string))).toBe(code);
    expect(await good).toHaveLength(5);
  });

  test("unknown options are refused, naming the nearest known one", async () => {
    const options = { topk: 3 } as object;
    const error = await classifier
      .classify(FIRST, options)
      .catch((reason: unknown) => reason as IsotorchError);
    expect(error).toMatchObject({ code: "INVALID_OPTION", hint: 'Did you mean "topK"?' });
  });

  test("a call that is aborted before it starts", async () => {
    const error = await classifier
      .classify(FIRST, { signal: AbortSignal.abort() })
      .catch((reason: unknown) => reason as IsotorchError);
    expect(error).toMatchObject({ code: "ABORTED" });
  });

  test("a call that is overdue", async () => {
    expect(await codeOf(classifier.classify(FIRST, { timeoutMs: 1 }))).toBe("DEADLINE_EXCEEDED");
    expect(await classifier.classify(FIRST)).toHaveLength(5);
  });

  function fileOf(name: string, content: string): string {
    const path = join(scratch, name);
    writeFileSync(path, content);
    return path;
  }

  function truncated(): string {
    const jpeg = PICTURES.find((path) => path.endsWith(".jpg")) ?? "";
    const path = join(scratch, "truncated.jpg");
    copyFileSync(jpeg, path);
    truncateSync(path, 20_000);
    return path;
  }
});

describe("a start that cannot work says why:", () => {
  const bad: [string, () => object, string][] = [
    ["an unknown option", () => ({ wieghts: "x" }), "INVALID_OPTION"],
    ["a bad value", () => ({ handoff: "pickle" }), "INVALID_OPTION"],
    ["a precision that there is not", () => ({ precision: "int8" }), "INVALID_OPTION"],
    ["no worker at all", () => ({ workers: 0 }), "INVALID_OPTION"],
    ["an empty list of devices", () => ({ device: [] }), "INVALID_OPTION"],
    ["an unknown part of a batch", () => ({ batch: { size: 3 } }), "INVALID_OPTION"],
    ["weights that do not exist", () => ({ weights: join(scratch, "none.pth") }), "WEIGHTS_NOT_FOUND"],
    ["another hash", () => ({ weights: CHECKPOINT, sha256: "0".repeat(64) }), "CHECKPOINT_CORRUPT"],
    ["a truncated checkpoint", () => ({ weights: damaged() }), "CHECKPOINT_CORRUPT"],
    ["another network", () => ({ weights: otherNetwork() }), "CHECKPOINT_MISMATCH"],
    ["no CUDA here", () => ({ device: "cuda" }), "DEVICE_UNAVAILABLE"],
    ["an interpreter that is none", () => ({ python: "/bin/false" }), "ENVIRONMENT_BROKEN"],
    ["labels of another number", () => ({ ...STANDIN, labels: ["only one"] }), "BAD_LABELS"],
    [
      "weights that are not here, offline",
      () => ({ weights: "IMAGENET1K_V1", offline: true }),
      "WEIGHTS_NOT_FOUND",
    ],
  ];

  test.each(bad)("%s", async (_, over, code) => {
    expect(await codeOf(createClassifier({ ...UNTRAINED, ...over() }))).toBe(code);
  });

  function damaged(): string {
    const path = join(scratch, "damaged.pth");
    copyFileSync(CHECKPOINT, path);
    truncateSync(path, 1_000_000);
    return path;
  }

  function otherNetwork(): string {
    return savedBy(
      "import sys, torch; torch.save({'layer1.0.conv1.weight': torch.zeros(64, 64, 3, 3)}, sys.argv[1])",
    );
  }
});

describe("the same answer as plain PyTorch, bit for bit:", () => {
  let plain: PlainAnswer[];
  beforeAll(() => {
    const args = [PLAIN, "--model", MODEL, "--checkpoint", CHECKPOINT, "--threads", "2", ...PICTURES];
    const lines = execFileSync(PYTHON, args, { encoding: "utf8" }).trim().split("\n");
    plain = lines.map((line) => JSON.parse(line) as PlainAnswer);
    expect(plain).toHaveLength(PICTURES.length);
  });

  test.each<Handoff>(["tensor", "pixels", "encoded"])("handoff %s", async (handoff) => {
    for (const [at, picture] of PICTURES.entries()) {
      const expected = plain[at];
      const options = { handoff, include: { logits: true, tensor: true } };
      const detailed = await classifier.classifyDetailed(picture, options);
      expect(sha256(detailed.logits), basename(picture)).toBe(expected?.logits_sha256);
      expect(sha256(detailed.tensor?.data), basename(picture)).toBe(expected?.tensor_sha256);
      const { top } = detailed;
      expect(top.map(({ index, label, percent }) => ({ index, label, percent }))).toEqual(expected?.top5);
    }
  });

  test("preprocess() alone needs no network", async () => {
    for (const [index, picture] of PICTURES.entries()) {
      expect(sha256((await preprocess(picture)).data), basename(picture)).toBe(plain[index]?.tensor_sha256);
    }
  });
});

describe("every kind of input gives the same answer:", () => {
  test("path, URL, bytes, ArrayBuffer, Blob, stream, data URL, pixels, tensor", async () => {
    const bytes = new Uint8Array(readFileSync(FIRST));
    const detailed = await classifier.classifyDetailed(FIRST, { include: { tensor: true, pixels: true } });
    const { tensor, pixels } = detailed;
    if (tensor === undefined || pixels === undefined) throw new Error("not included");
    const kinds = [
      pathToFileURL(FIRST),
      bytes,
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
      new Blob([bytes]),
      new Blob([bytes]).stream(),
      `data:image/jpeg;base64,${Buffer.from(bytes).toString("base64")}`,
      { ...pixels, channels: 3 as const },
      tensor,
    ];
    for (const kind of kinds) expect(await classifier.classify(kind)).toEqual(detailed.top);
  });

  test("a list keeps its order, and topK is honoured", async () => {
    const [a, b] = await classifier.classify([FIRST, SECOND], { topK: 3 });
    expect(a).toEqual((await classifier.classify(FIRST)).slice(0, 3));
    expect(b).toEqual((await classifier.classify(SECOND)).slice(0, 3));
    expect(await classifier.classify(FIRST, { topK: 0 })).toHaveLength(1000);
  });

  test("more classes than the network has are refused at once, and cost nobody anything", async () => {
    expect(classifier.info().classes).toBe(1000);
    expect(await codeOf(classifier.classify(FIRST, { topK: 1001, timeoutMs: 0 }))).toBe("INVALID_OPTION");
    expect(await classifier.classify(FIRST, { topK: 1000 })).toHaveLength(1000);
  });

  test("a list with a failure fails as a whole, or settles one by one", async () => {
    const images = [FIRST, join(scratch, "missing.jpg"), SECOND];
    expect(await codeOf(classifier.classify(images))).toBe("INPUT_NOT_FOUND");
    const settled = await classifier.classifySettled(images);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  test("scores and percentages belong together and sum to one", async () => {
    const { top, probabilities } = await classifier.classifyDetailed(FIRST, {
      topK: 0,
      include: { probabilities: true },
    });
    for (const { index, score, percent } of top) {
      expect(score).toBe(probabilities?.[index]);
      expect(percent).toBe(Math.fround(score * 100));
    }
    expect(top.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
  });

  test("where the time goes is in the timings of a call, and in stats() for all", async () => {
    const { timings = {}, batch } = await classifier.classifyDetailed(FIRST, { include: { timings: true } });
    expect(Object.keys(timings)).toEqual(
      expect.arrayContaining(["read", "decode", "preprocess", "worker", "queue", "forward", "rank"]),
    );
    expect(timings["worker"]).toBeGreaterThan(timings["forward"] ?? Infinity);
    expect(batch).toBe(1);
    const { stages, succeeded } = classifier.stats();
    expect(stages["total"]?.count).toBeGreaterThan(0);
    expect(stages["forward"]?.count).toBeLessThanOrEqual(succeeded);
    expect(stages["total"]?.sumMs).toBeGreaterThan(stages["forward"]?.sumMs ?? Infinity);
  });

  test("what was chosen is in info(), and dir(models) in models()", async () => {
    const info = classifier.info();
    expect(info).toMatchObject({
      device: "cpu",
      threads: 2,
      threadsReason: "asked for",
      precision: "exact",
      model: MODEL,
    });
    expect(info.weights).toMatchObject({ name: "untrained:0", trained: false, transforms: "IMAGENET1K_V1" });
    const hash = createHash("sha256").update(readFileSync(CHECKPOINT)).digest("hex");
    expect(info.weights.sha256).toBe(hash);
    expect(info.versions["torch"]).toMatch(/^\d/);
    expect(await classifier.models()).toContain("resnet101");
  });
});

test("two workers with a checkpoint of one's own and labels of a file give the answers of one", async () => {
  const labels = fileURLToPath(new URL("../../models/imagenet_classes.txt", import.meta.url));
  const own = { weights: CHECKPOINT, trustCheckpoint: true, labels, handoff: "encoded" as const };
  await using two = await createClassifier({ ...UNTRAINED, ...own, workers: 2 });
  expect(await two.classify(PICTURES)).toEqual(await classifier.classify(PICTURES));
  // The handoff is that of all calls.
  expect(two.stats().preprocessed).toEqual({ node: 0, worker: PICTURES.length });
  const { workers, weights } = workerInfo(two);
  expect(new Set(workers.map(({ pid }) => pid)).size).toBe(2);
  expect(workers.map(({ threads }) => threads)).toEqual([2, 2]);
  expect(two.health().workers.map(({ ready }) => ready)).toEqual([true, true]);
  // Whether a file of one's own has learnt anything, nobody knows.
  expect(weights).toMatchObject({ name: CHECKPOINT, path: CHECKPOINT, trained: null });
});

test("a closed classifier refuses at once", async () => {
  const other = await createClassifier(STANDIN);
  await other.close();
  await other.close();
  expect(await codeOf(other.classify(FIRST))).toBe("CLOSED");
});
