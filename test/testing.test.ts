import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClassifier } from "../src/classification/classifier.ts";
import type { Classifier } from "../src/classification/classifier.ts";
import { IsotorchError } from "../src/base/errors.ts";
import type { ImageInput } from "../src/image/source/source.ts";
import { createFakeClassifier, recordCassette } from "../src/testing.ts";
import { UNTRAINED } from "./checkpoint.ts";
import { compiled } from "./security/compiled.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DOG = join(ROOT, "examples/images/dog.webp");
const FRUIT = join(ROOT, "examples/images/fruit.png");
const CLASSES = [
  { index: 207, label: "golden retriever", score: 0.75 },
  { index: 208, label: "Labrador retriever", score: 0.125 },
];

let folder: string;
let project: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "testing-test-"));
  project = compiled("node_modules/isotorch");
  writeFileSync(join(project, "package.json"), '{ "type": "module" }');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(project, { recursive: true, force: true });
});

async function failure(promise: Promise<unknown>): Promise<IsotorchError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(IsotorchError);
  return error as IsotorchError;
}

const codeOf = async (promise: Promise<unknown>): Promise<string> => (await failure(promise)).code;

describe("a call that is wrong fails as with a real classifier:", () => {
  test("an unknown option, naming the nearest known one", async () => {
    const fake = await createFakeClassifier(() => CLASSES);
    const error = await failure(fake.classify("dog.jpg", { topk: 3 } as object));
    expect(error).toMatchObject({ code: "INVALID_OPTION", hint: 'Did you mean "topK"?' });
    const iterator = fake.classifyStream([], { topk: 3 } as object)[Symbol.asyncIterator]();
    expect(await codeOf(iterator.next())).toBe("INVALID_OPTION");
    expect(await codeOf(fake.reload({ wieghts: "x" } as object))).toBe("INVALID_OPTION");
  });

  test("an unknown option of the fake itself", async () => {
    const error = await failure(createFakeClassifier(() => CLASSES, { latencyMS: 3 } as object));
    expect(error).toMatchObject({ code: "INVALID_OPTION", hint: 'Did you mean "latencyMs"?' });
    expect(await codeOf(createFakeClassifier(() => CLASSES, { latencyMs: -1 }))).toBe("INVALID_OPTION");
    expect(await codeOf(createFakeClassifier(() => CLASSES, { labels: join(folder, "none") }))).toBe(
      "BAD_LABELS",
    );
  });

  test("an abort, before and while it answers, and a deadline", async () => {
    const fake = await createFakeClassifier(() => CLASSES, { latencyMs: 60_000 });
    expect(await codeOf(fake.classify("a", { signal: AbortSignal.abort() }))).toBe("ABORTED");
    const controller = new AbortController();
    const aborted = codeOf(fake.classify("a", { signal: controller.signal }));
    setTimeout(() => controller.abort(), 20);
    expect(await aborted).toBe("ABORTED");
    expect(await codeOf(fake.classify("a", { timeoutMs: 20 }))).toBe("DEADLINE_EXCEEDED");
    expect(fake.stats()).toMatchObject({ submitted: 3, succeeded: 0, failed: 3 });
    await fake.close();
  });

  test("a call after the close, and one that outlasts it", async () => {
    const fake = await createFakeClassifier(() => CLASSES, { latencyMs: 60_000 });
    const call = codeOf(fake.classify("a"));
    await Promise.all([fake.close({ drainMs: 20 }), fake.close()]);
    expect(await call).toBe("CLOSED");
    expect(await codeOf(fake.classify("b"))).toBe("CLOSED");
    expect(await codeOf(fake.reload({}))).toBe("CLOSED");
    expect(fake.health()).toMatchObject({ phase: "stopped", ready: false, inFlight: 0 });
  });

  test("pictures that are none, where they are read", async () => {
    const fake = await createFakeClassifier(() => CLASSES, { readImages: true });
    expect(await codeOf(fake.classify(join(folder, "none.jpg")))).toBe("INPUT_NOT_FOUND");
    expect(await codeOf(fake.classify(new TextEncoder().encode("text")))).toBe("UNSUPPORTED_FORMAT");
    expect(await codeOf(fake.classify(7 as unknown as string))).toBe("INVALID_INPUT");
    expect(await fake.classify(DOG)).toHaveLength(2);
  });
});

describe("an answer that cannot be used is named:", () => {
  test.each([
    ["no list", { label: "dog" }, "neither a list"],
    ["no index", [{ score: 1 }], "index undefined"],
    ["a score in percent", [{ index: 1, score: 96 }], "score 96"],
    ["NaN", [{ index: 1, score: Number.NaN }], "score NaN"],
  ])("%s", async (_, answer, says) => {
    const fake = await createFakeClassifier(() => answer as unknown as typeof CLASSES);
    expect(await failure(fake.classify("a"))).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining(says),
    });
  });

  test("without the logits that the call includes", async () => {
    const fake = await createFakeClassifier(() => CLASSES);
    const error = await failure(fake.classifyDetailed("a", { include: { logits: true } }));
    expect(error.message).toContain("no logits");
  });

  test("a function that throws: its IsotorchError as it is, anything else as the cause", async () => {
    const poison = new IsotorchError("POISON_INPUT", "Again.");
    const thrown = [poison, new TypeError("oops")];
    const fake = await createFakeClassifier(() => {
      throw thrown.shift() ?? new Error("no more");
    });
    expect(await failure(fake.classify("a"))).toBe(poison);
    expect(await failure(fake.classify("a"))).toMatchObject({
      code: "WORKER_ERROR",
      cause: expect.any(TypeError),
    });
  });
});

describe("a function answers", () => {
  test("best first, cut to topK, labels and percentages filled in", async () => {
    const classes = [
      { index: 1, score: 0.1 },
      { index: 0, score: 0.3 },
    ];
    const fake = await createFakeClassifier(() => classes, { labels: ["cat", "dog"] });
    expect(await fake.classify("a")).toEqual([
      { label: "cat", index: 0, score: 0.3, percent: Math.fround(Math.fround(0.3) * 100) },
      { label: "dog", index: 1, score: 0.1, percent: Math.fround(Math.fround(0.1) * 100) },
    ]);
    expect(await fake.classify("a", { topK: 1 })).toHaveLength(1);
    await fake.reload({ labels: ["chat", "chien"] });
    expect((await fake.classify("a"))[0]?.label).toBe("chat");
  });

  test("each picture with its own, in order, though the later ones are ready first", async () => {
    const fake = await createFakeClassifier(async (image) => {
      await new Promise((resolve) => {
        setTimeout(resolve, 50 - 10 * Number(image));
      });
      return [{ index: Number(image), score: 1 }];
    });
    const images = ["0", "1", "2", "3", "4"];
    expect((await fake.classify(images)).map(([best]) => best?.index)).toEqual([0, 1, 2, 3, 4]);
    const seen: (number | undefined)[] = [];
    for await (const result of fake.classifyStream(images)) {
      seen.push(result.status === "fulfilled" ? result.value.top[0]?.index : undefined);
    }
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });

  test("a failure for the pictures that failWith names, alone", async () => {
    const full = new IsotorchError("QUEUE_FULL", "The queue is full.", { retryAfterMs: 50 });
    const failWith = (image: ImageInput) => (image === "b" ? full : undefined);
    const fake = await createFakeClassifier(() => CLASSES, { failWith });
    const settled = await fake.classifySettled(["a", "b", "c"]);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await failure(fake.classify("b"))).toBe(full);
    expect(await failure(fake.classify(["a", "b"]))).toMatchObject({
      code: "QUEUE_FULL",
      retryAfterMs: 50,
      index: 1,
      cause: full,
    });
  });

  test("with what the call includes, and nothing else", async () => {
    const logits = Float32Array.of(1, 2);
    const fake = await createFakeClassifier(() => ({ top: CLASSES, logits, probabilities: logits }));
    const detailed = await fake.classifyDetailed("a", { include: { logits: true, timings: true } });
    expect(Object.keys(detailed)).toEqual(["top", "logits", "timings"]);
    expect(detailed.logits).toBe(logits);
  });

  test("to a stream's bytes where streams are read", async () => {
    const seen: ImageInput[] = [];
    const answer = (image: ImageInput) => {
      seen.push(image);
      return CLASSES;
    };
    const fake = await createFakeClassifier(answer, { readImages: true });
    await fake.classify(new Blob([readFileSync(DOG)]).stream());
    expect(seen).toEqual([new Uint8Array(readFileSync(DOG))]);
  });
});

describe("it tells of itself", () => {
  test("that it is a fake, wherever one looks", async () => {
    const info = (await createFakeClassifier(() => CLASSES)).info();
    expect(info).toMatchObject({ package: "fake", device: "fake", model: "fake", precision: "fake" });
    expect(info.weights).toMatchObject({ name: "fake (IMAGENET1K_V1)", trained: false });
    expect(info.spec).toMatchObject({ resize: 256, crop: 224 });
  });

  test("each phase, to whoever listens", async () => {
    const phases: string[] = [];
    const fake = await createFakeClassifier(() => CLASSES, { latencyMs: 5 });
    const stop = fake.on("state", (phase) => phases.push(phase));
    await fake.classify("a");
    const last = fake.classify("b");
    await fake.close();
    expect(await last).toHaveLength(2);
    expect(phases).toEqual(["busy", "ready", "busy", "draining", "stopped"]);
    stop();
    expect(await fake.models()).toEqual(["resnet101"]);
  });

  test("without sharp, Python or sockets being loaded, until pixels are asked for", () => {
    const script = `
      import { createFakeClassifier } from "isotorch/testing";
      const native = () => process.report.getReport().sharedObjects.filter((path) => /sharp|zeromq/.test(path)).length;
      const fake = await createFakeClassifier(() => [{ index: 1, score: 1 }], { readImages: true });
      await fake.classify(${JSON.stringify(DOG)});
      const before = native();
      await fake.preprocess(${JSON.stringify(DOG)});
      console.log(before, native() > 0);
    `;
    const args = ["--input-type=module", "-e", script];
    expect(execFileSync(process.execPath, args, { encoding: "utf8", cwd: project }).trim()).toBe("0 true");
  });
});

describe("a cassette", () => {
  test("that is missing, or none, says how to record one", async () => {
    const missing = await failure(createFakeClassifier(join(folder, "none.json")));
    expect(missing).toMatchObject({
      code: "INPUT_NOT_FOUND",
      hint: expect.stringContaining("recordCassette"),
    });
    const bad = [
      ["text", "not a JSON object"],
      ["[]", "not a JSON object"],
      ['{"version":2,"entries":[]}', "version is 2"],
      ['{"version":1}', "no list of entries"],
      ['{"version":1,"entries":[{"sha256":"abc","top":[]}]}', "entry 0"],
    ];
    for (const [content = "", says] of bad) {
      const file = join(folder, "bad.json");
      writeFileSync(file, content);
      const error = await failure(createFakeClassifier(file));
      expect(error).toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining(says ?? "") });
    }
  });

  test("without the picture, or with less of it than is asked for, says so and never guesses", async () => {
    const sha256 = createHash("sha256").update(readFileSync(DOG)).digest("hex");
    const top = [{ label: "dog", index: 1, score: 0.5, percent: 50 }];
    const fake = await createFakeClassifier({ version: 1, entries: [{ sha256, top }] });
    expect(await fake.classify(DOG, { topK: 1 })).toEqual(top);
    const unknown = await failure(fake.classify(FRUIT));
    expect(unknown).toMatchObject({ code: "INVALID_INPUT", hint: expect.stringContaining("recordCassette") });
    expect(unknown.message).toContain(createHash("sha256").update(readFileSync(FRUIT)).digest("hex"));
    const calls = [{ topK: 5 }, { topK: 1, exif: "apply" as const }, { topK: 1, include: { logits: true } }];
    for (const call of calls) expect(await codeOf(fake.classifyDetailed(DOG, call))).toBe("INVALID_INPUT");
  });

  test("that cannot be written fails the call that it was for", async () => {
    const inner = await createFakeClassifier(() => CLASSES);
    const recorder = recordCassette(inner, join(folder, "no/such/folder.json"));
    expect(await codeOf(recorder.classify(DOG))).toBe("INPUT_UNREADABLE");
  });

  test("grows with every call, keeps what it had, and has no partial file beside it", async () => {
    const file = join(folder, "grown.json");
    const logits = Float32Array.of(0.1, -3e38, 7);
    const inner = await createFakeClassifier(() => ({ top: CLASSES, logits }));
    const pixels = { data: new Uint8Array(12), width: 2, height: 2, channels: 3 as const };
    const images = [DOG, FRUIT, pixels, { ...pixels, data: new Uint8Array(12).fill(1) }];
    const first = recordCassette(inner, pathToFileURL(file));
    await first.classify(images, { topK: 2 });
    await first.classifyDetailed(DOG, { topK: 1, include: { logits: true } });
    const second = recordCassette(inner, file);
    await second.classify(new Blob([readFileSync(DOG)]).stream(), { topK: 2, exif: "apply" });
    await second.close();
    const fake = await createFakeClassifier(pathToFileURL(file));
    const detailed = await fake.classifyDetailed(DOG, { topK: 2, include: { logits: true } });
    expect(detailed.logits).toEqual(logits);
    expect(detailed.top).toHaveLength(2);
    expect(await fake.classify([...images, DOG], { topK: 2 })).toHaveLength(5);
    expect(await fake.classify(DOG, { topK: 2, exif: "apply" })).toHaveLength(2);
    expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("of the real network answers with the same bits", async () => {
    const file = join(folder, "real.json");
    const include = { logits: true, probabilities: true, tensor: true };
    const recorder: Classifier = recordCassette(await createClassifier(UNTRAINED), file);
    const answered = await recorder.classifyDetailed(DOG, { topK: 0, include });
    await recorder.close();
    const fake = await createFakeClassifier(file);
    // Who prepared it then is no part of the answer.
    const { preprocessedBy: _, ...recorded } = answered;
    expect(await fake.classifyDetailed(DOG, { topK: 0, include })).toEqual(recorded);
    expect(await fake.classify(DOG)).toEqual(recorded.top.slice(0, 5));
    expect((await fake.preprocess(DOG)).data).toEqual(recorded.tensor?.data);
  });
});

test("the examples of docs/testing.md run", () => {
  const page = readFileSync(join(ROOT, "docs/testing.md"), "utf8");
  const samples = [...page.matchAll(/```ts title="(.+?)"\n([\s\S]*?)```/g)];
  expect(samples.map(([, name]) => name)).toEqual(["src/caption.ts", "test/caption.test.ts"]);
  for (const [, name = "", code = ""] of samples) {
    mkdirSync(dirname(join(project, name)), { recursive: true });
    writeFileSync(join(project, name), code);
  }
  copyFileSync(DOG, join(project, "test/dog.webp"));
  writeFileSync(join(project, "vitest.config.js"), "export default {};");
  const args = [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--root", project];
  const output = execFileSync(process.execPath, args, { encoding: "utf8", cwd: project, stdio: "pipe" });
  expect(output).toMatch(/Tests\s.*3 passed/);
});

describe("a fake of any network", () => {
  const LABELS = ["daisy", "rose", "tulip"];
  const scores = [0.25, 0.5, 0.125];
  const embedding = { data: Float32Array.of(1, 2), shape: [2] };
  const answer = () => ({ top: scores.map((score, index) => ({ index, score })), embedding });

  test("has its model's name and preprocessing, as many classes as labels, and embeddings", async () => {
    const fake = await createFakeClassifier(answer, { labels: LABELS, model: "inception_v3" });
    expect(fake.info()).toMatchObject({ model: "inception_v3", classes: 3, spec: { crop: 299 } });
    expect((await fake.preprocess(DOG)).shape).toEqual([1, 3, 299, 299]);
    expect(await fake.embed("a")).toEqual(embedding);
    expect((await fake.classify("a", { threshold: 0.25 })).map(({ label }) => label)).toEqual([
      "rose",
      "daisy",
    ]);
    expect(await codeOf(fake.classify("a", { topK: 4 }))).toBe("INVALID_OPTION");
    expect(await codeOf(createFakeClassifier(answer, { model: "resnett18" }))).toBe("INVALID_OPTION");
    const none = await createFakeClassifier(() => CLASSES);
    expect((await failure(none.embed("a"))).message).toContain("no embedding");
  });

  test("is recorded and replayed with its classes, its embeddings and its activation", async () => {
    const file = join(folder, "flowers.json");
    const inner = await createFakeClassifier(
      (_, { activation }) => (activation === "sigmoid" ? [{ index: 2, score: 1 }] : answer()),
      { labels: LABELS },
    );
    const recorder = recordCassette(inner, file);
    // The cassette has all classes, also where the caller wants the sure ones.
    expect(await recorder.classify(DOG, { threshold: 0.5 })).toHaveLength(1);
    await recorder.embed(DOG);
    await recorder.classify(DOG, { activation: "sigmoid" });
    await recorder.close();
    const fake = await createFakeClassifier(file);
    expect(fake.info()).toMatchObject({ classes: 3, embedding: 2 });
    expect(await fake.classify(DOG, { topK: 0 })).toHaveLength(3);
    expect(await fake.embed(DOG)).toEqual(embedding);
    expect(await codeOf(fake.embed(FRUIT))).toBe("INVALID_INPUT");
  });
});
