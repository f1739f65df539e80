import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { createClassifier } from "../src/classification/classifier.ts";
import type { Classifier } from "../src/classification/classifier.ts";
import { arriving } from "./arriving.ts";
import { UNTRAINED } from "./checkpoint.ts";
import { codeOf } from "./failure.ts";
import { workerInfo } from "./info.ts";
import { isRunning } from "./processes.ts";
import { STANDIN } from "./standin.ts";

const IMAGE = fileURLToPath(new URL("../examples/images/landscape.jpg", import.meta.url));

let classifier: Classifier | undefined;
afterEach(async () => {
  await classifier?.close();
  classifier = undefined;
});

test("a reload that cannot work leaves the old worker at work", async () => {
  classifier = await createClassifier(STANDIN);
  const { pid } = workerInfo(classifier);
  expect(await codeOf(classifier.reload({ weights: "/nowhere.pth" }))).toBe("WEIGHTS_NOT_FOUND");
  expect(await codeOf(classifier.reload({ labels: ["only one"] }))).toBe("BAD_LABELS");
  expect(workerInfo(classifier).pid).toBe(pid);
  expect(await classifier.classify(IMAGE)).toHaveLength(1);
});

test("a reload under load loses no call, and every answer is the old or the new worker's", async () => {
  classifier = await createClassifier(UNTRAINED);
  const phases: string[] = [];
  const stop = classifier.on("state", (phase) => phases.push(phase));
  const before = await classifier.classify(IMAGE);
  const { pid, spec } = workerInfo(classifier);
  expect(spec.resize).toBe(256);

  const progress = { done: false };
  const reload = classifier.reload({ transforms: { resize: 232, crop: 224 } }).finally(() => {
    progress.done = true;
  });
  const answers = [];
  // Its picture comes when the worker has been swapped.
  const { picture, arrive } = arriving(IMAGE);
  const late = classifier.classify(picture, { timeoutMs: 0 });
  while (!progress.done) answers.push(await classifier.classify(IMAGE));
  await reload;

  const after = await classifier.classify(IMAGE);
  expect(classifier.info().spec.resize).toBe(232);
  expect(workerInfo(classifier).pid).not.toBe(pid);
  expect(after).not.toEqual(before);
  expect(answers.length).toBeGreaterThan(0);
  for (const answer of answers) expect([before, after]).toContainEqual(answer);
  // The old worker ends once it has answered its last call.
  expect(isRunning(pid)).toBe(true);
  arrive();
  expect(await late).toEqual(before);
  await expect.poll(() => isRunning(pid)).toBe(false);
  await expect.poll(() => phases).toContain("stopped");
  stop();

  expect(classifier.health()).toMatchObject({ phase: "ready", ready: true, waiting: 0, inFlight: 0 });
  expect(classifier.stats()).toMatchObject({ failed: 0, starts: 1 });
});

test("a closed classifier is not reloaded, and nothing is left", async () => {
  const closed = await createClassifier(STANDIN);
  const reload = closed.reload({ transforms: "IMAGENET1K_V2" });
  await closed.close();
  await reload.catch(() => undefined);
  expect(await codeOf(closed.reload({}))).toBe("CLOSED");
  expect(await codeOf(closed.classify(IMAGE))).toBe("CLOSED");
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`isotorch-${process.pid}-`))).toEqual([]);
});

test("a picture that still arrives keeps the old worker, and not the reload", async () => {
  classifier = await createClassifier(STANDIN);
  const { picture, arrive } = arriving(IMAGE);
  const { pid } = workerInfo(classifier);
  const call = classifier.classify(picture, { timeoutMs: 0 });
  await classifier.reload({});
  expect(isRunning(pid)).toBe(true);
  arrive();
  expect(await call).toHaveLength(1);
  await expect.poll(() => isRunning(pid)).toBe(false);
});

test("the signal of the start, which has fired since, does not end a reload", async () => {
  const start = new AbortController();
  classifier = await createClassifier({ ...STANDIN, signal: start.signal });
  start.abort();
  await classifier.reload({});
  expect(await classifier.classify(IMAGE)).toHaveLength(1);
  expect(await codeOf(classifier.reload({ signal: AbortSignal.abort() }))).toBe("ABORTED");
  await classifier.reload({});
});

test("a close ends the start of a reload", async () => {
  classifier = await createClassifier(STANDIN);
  const reload = codeOf(classifier.reload({}));
  await classifier.close();
  expect(["CLOSED", "ABORTED"]).toContain(await reload);
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`isotorch-${process.pid}-`))).toEqual([]);
});
