/** What was accepted is finished, whatever the application does meanwhile. */
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createClassifier } from "../src/classification/classifier.ts";
import type { Classifier } from "../src/classification/classifier.ts";
import { arriving } from "./arriving.ts";
import { UNTRAINED } from "./checkpoint.ts";
import { codeOf } from "./failure.ts";
import { STANDIN } from "./standin.ts";

const IMAGE = fileURLToPath(new URL("../examples/images/landscape.jpg", import.meta.url));

let classifier: Classifier | undefined;
afterEach(async () => {
  await classifier?.close({ drainMs: 0 });
  classifier = undefined;
});

test("a close finishes every call that was accepted, whatever stage it is in", async () => {
  classifier = await createClassifier(STANDIN);
  const [best] = await classifier.classify(IMAGE);
  const { picture, arrive } = arriving(IMAGE);
  const calls = [
    classifier.classify(picture),
    ...Array.from({ length: 6 }, () => classifier!.classify(IMAGE)),
  ];
  const list = classifier.classify(Array.from({ length: 6 }, () => IMAGE));
  const tensor = classifier.preprocess(IMAGE);
  const closed = classifier.close();
  expect(await codeOf(classifier.classify(IMAGE))).toBe("CLOSED");
  expect(await codeOf(classifier.preprocess(IMAGE))).toBe("CLOSED");
  arrive();
  for (const top of [...(await Promise.all(calls)), ...(await list)]) expect(top[0]).toEqual(best);
  expect((await tensor).shape).toEqual([1, 3, 224, 224]);
  await closed;
  expect(classifier.stats().failed).toBe(0);
});

test("what is not finished after drainMs fails with CLOSED", async () => {
  classifier = await createClassifier(STANDIN);
  const call = codeOf(classifier.classify(arriving(IMAGE).picture));
  await classifier.close({ drainMs: 0 });
  expect(await call).toBe("CLOSED");
});

test("a drainMs that is no time is refused, and nothing is closed", async () => {
  classifier = await createClassifier(STANDIN);
  for (const drainMs of [-1, Number.NaN, "100"]) {
    expect(await codeOf(classifier.close({ drainMs: drainMs as number })), `${drainMs}`).toBe(
      "INVALID_OPTION",
    );
    expect(await classifier.classify(IMAGE)).toHaveLength(1);
  }
});

describe("numbers that Node's timers do not take", () => {
  test("timeoutMs and drainMs beyond 2³¹ − 1 wait as long as they say", async () => {
    classifier = await createClassifier(STANDIN);
    expect(await classifier.classify(IMAGE, { timeoutMs: 2 ** 31 })).toHaveLength(1);
    expect(await classifier.classify(IMAGE, { timeoutMs: 2 ** 53 - 1 })).toHaveLength(1);
    const calls = [classifier.classify(IMAGE), classifier.classify(IMAGE)];
    await classifier.close({ drainMs: Infinity });
    expect(await Promise.all(calls)).toHaveLength(2);
  });

  test.each([
    { supervision: { helloMs: 0 } },
    { supervision: { pingMs: 0 } },
    { supervision: { maxInFlight: 0 } },
    { supervision: { restartDelaysMs: [] } },
    { supervision: { restartDelaysMs: [-1] } },
    { queue: { maxRequests: 0 } },
    { queue: { maxBytes: 0 } },
  ])("%j says nothing that could be done", async (options) => {
    expect(await codeOf(createClassifier({ ...STANDIN, ...options }))).toBe("INVALID_OPTION");
  });
});

test("functions of the application that throw are reported, and end nothing", async () => {
  const said: string[] = [];
  const note = (message: string): void => void said.push(message);
  const fail = (): never => {
    throw new Error("mine");
  };
  classifier = await createClassifier({
    ...UNTRAINED,
    onProgress: fail,
    logger: { debug: fail, info: fail, warn: note, error: note },
  });
  classifier.on("state", fail);
  expect(await classifier.classify(IMAGE)).toHaveLength(5);
  await classifier.close();
  expect(classifier.health().phase).toBe("stopped");
  expect(said).toContain("onProgress threw: mine");
  expect(said).toContain('A listener of "state" threw: mine');
});

test("without a logger Node's warnings hear of it", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  classifier = await createClassifier(STANDIN);
  classifier.on("state", () => {
    throw new Error("mine");
  });
  await classifier.close();
  expect(warn).toHaveBeenCalledWith('A listener of "state" threw: mine', { code: "ISOTORCH_CALLBACK" });
  warn.mockRestore();
});

test("a stream whose signal has fired does not wait for a source that hangs", async () => {
  classifier = await createClassifier(STANDIN);
  const abort = new AbortController();
  async function* hanging(): AsyncGenerator<string> {
    yield IMAGE;
    await new Promise(() => undefined);
  }
  const results: string[] = [];
  const reading = (async () => {
    for await (const { status } of classifier.classifyStream(hanging(), { signal: abort.signal })) {
      results.push(status);
      abort.abort();
    }
  })();
  expect(await codeOf(reading)).toBe("ABORTED");
  expect(results).toEqual(["fulfilled"]);
});
