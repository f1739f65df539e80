/** Streams of pictures, whoever answers. */
import { expect, test } from "vitest";
import type { ImageInput } from "../src/image/source.ts";
import { createFakeClassifier } from "../src/testing/fake.ts";

const fake = (latencyMs = 0) => createFakeClassifier(() => [{ index: 0, score: 1 }], { latencyMs });

test("an answer does not wait for the next picture", async () => {
  const classifier = await fake();
  let give = (_path: string): void => undefined;
  const pictures = (async function* (): AsyncGenerator<ImageInput> {
    for (;;) yield await new Promise<string>((resolve) => (give = resolve));
  })();
  const answers = classifier.classifyStream(pictures)[Symbol.asyncIterator]();
  for (const name of ["a.jpg", "b.jpg", "c.jpg"]) {
    const next = answers.next();
    await expect.poll(() => give.length).toBe(1);
    await new Promise(setImmediate);
    give(name);
    expect((await next).value).toMatchObject({ status: "fulfilled" });
  }
  await answers.return?.();
});

test("few pictures are asked for ahead of the answers", async () => {
  const classifier = await fake(1);
  let asked = 0;
  const pictures = (function* (): Generator<ImageInput> {
    for (; asked < 200; asked++) yield `${asked}.jpg`;
  })();
  let answered = 0;
  for await (const _ of classifier.classifyStream(pictures)) expect(asked - answered++).toBeLessThan(8);
  expect(answered).toBe(200);
});

test.each(["at once", "later"])(
  "a source that fails %s gets the answers out first, and its error after them",
  async (when) => {
    const classifier = await fake(5);
    const failing = new Error("no more");
    const soon = (function* (): Generator<ImageInput> {
      yield* ["a.jpg", "b.jpg"];
      throw failing;
    })();
    const late = (async function* (): AsyncGenerator<ImageInput> {
      yield* ["a.jpg", "b.jpg"];
      await new Promise(setImmediate);
      throw failing;
    })();
    let answered = 0;
    const all = (async () => {
      for await (const _ of classifier.classifyStream(when === "at once" ? soon : late)) answered++;
    })();
    await expect(all).rejects.toBe(failing);
    expect(answered).toBe(2);
  },
);

test("who stops listening ends the source", async () => {
  const classifier = await fake();
  let isEnded = false;
  const pictures = (function* (): Generator<ImageInput> {
    try {
      for (;;) yield "a.jpg";
    } finally {
      isEnded = true;
    }
  })();
  for await (const _ of classifier.classifyStream(pictures)) break;
  await expect.poll(() => isEnded).toBe(true);
});
