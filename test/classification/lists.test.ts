import { getEventListeners } from "node:events";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { classify, IsotorchError, preprocess } from "../../src/index.ts";
import type { Classifier, ImageInput } from "../../src/index.ts";
import { createFakeClassifier } from "../../src/testing.ts";

const PICTURE = new Uint8Array(Buffer.from("P6 1 1 255\nabc"));

const failureOf = async (call: Promise<unknown>): Promise<IsotorchError> => {
  const error: unknown = await call.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (error instanceof IsotorchError) return error;
  throw error;
};

const FIVE = [0, 1, 2, 3, 4].map((index) => ({ index, score: 0.2 }));
const classifier = (): Promise<Classifier> => createFakeClassifier(() => FIVE, { readImages: true });

describe("a picture of a list that fails is named", () => {
  test("by its number, its name and its index, with the code and the hint of its own error", async () => {
    await using fake = await classifier();
    const own = await failureOf(fake.classify("/missing/b.jpg"));
    const error = await failureOf(fake.classify([PICTURE, "/missing/b.jpg", "/missing/c.jpg"]));
    expect(error).toMatchObject({ code: own.code, hint: own.hint, index: 1 });
    expect(error.message).toBe(`Picture 2 of 3, /missing/b.jpg: ${own.message}`);
    expect(error.cause).toMatchObject({ code: own.code, message: own.message, index: undefined });
  });

  test("without what may be secret or endless in its address", async () => {
    await using fake = await createFakeClassifier(() => FIVE, {
      failWith: () => new IsotorchError("DECODE_FAILED", "no"),
    });
    const nameless: readonly ImageInput[] = [PICTURE, "data:image/png;base64,AAAA"];
    for (const image of nameless)
      expect((await failureOf(fake.classify([image]))).message).toBe("Picture 1 of 1: no.");
    const error = await failureOf(fake.classify(["/missing/my dog.jpg"]));
    expect(error.message).toContain("Picture 1 of 1, /missing/my dog.jpg: ");
  });
});

test("many calls and lists with one signal have one listener on it between them", async () => {
  await using fake = await createFakeClassifier(() => FIVE, { latencyMs: 20 });
  const ender = new AbortController();
  const { signal } = ender;
  const calls = Array.from({ length: 12 }, () => [
    fake.classify("dog.jpg", { signal }),
    fake.classifySettled(["dog.jpg", "cat.jpg"], { signal }),
  ]);
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  await Promise.all(calls.flat());
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
});

describe("methods that are handed on by themselves", () => {
  test("know their classifier", async () => {
    await using fake = await classifier();
    // oxlint-disable-next-line typescript/unbound-method -- it is what this is about
    const { classify: one, classifyDetailed, classifySettled, classifyStream } = fake;
    expect(await one(PICTURE)).toHaveLength(5);
    expect((await classifyDetailed(PICTURE)).top).toHaveLength(5);
    expect(await classifySettled([PICTURE])).toHaveLength(1);
    for await (const result of classifyStream([PICTURE])) expect(result.status).toBe("fulfilled");
    expect(await Promise.all([PICTURE, PICTURE].map((picture) => one(picture)))).toHaveLength(2);
  });

  test("say what `map` gave them for options", async () => {
    await using fake = await classifier();
    // oxlint-disable-next-line typescript/unbound-method -- it is what this is about
    const methods = [fake.classify, fake.classifyDetailed, fake.preprocess, classify, preprocess];
    for (const method of methods) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as JavaScript calls it
      const [call] = [PICTURE].map(method as (image: Uint8Array) => Promise<unknown>);
      expect(await failureOf(call ?? Promise.resolve())).toMatchObject({
        code: "INVALID_OPTION",
        message: "Options are 0, expected an object.",
        hint: expect.stringContaining("paths.map((path) => classify(path))") as string,
      });
    }
  });
});

test("what is no list is refused where a list is asked for", async () => {
  await using fake = await classifier();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as JavaScript calls it
  const error = await failureOf(fake.classifySettled("dog.jpg" as unknown as ImageInput[]));
  expect(error.code).toBe("INVALID_INPUT");
});

test("a stream that fails before its turn comes ends only its own call", async () => {
  const missing = createReadStream("/missing/a.jpg");
  const failed = new Promise<void>((resolve) => missing.once("close", resolve));
  await using fake = await createFakeClassifier(
    async () => {
      await failed;
      return FIVE;
    },
    { readImages: true },
  );
  // The fifth waits for one of the four before it, which wait until it has failed.
  const results = await fake.classifySettled([
    PICTURE,
    PICTURE,
    PICTURE,
    PICTURE,
    missing,
    Readable.from([PICTURE]),
  ]);
  expect(results.map(({ status }) => status)).toEqual([
    ...Array.from({ length: 4 }, () => "fulfilled"),
    "rejected",
    "fulfilled",
  ]);
  expect(results[4]).toMatchObject({ reason: { code: "INPUT_UNREADABLE" } });
});
