/** No member of a classifier fails because of who answers it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { createClassifier } from "../src/classification/classifier.ts";
import type { Classifier } from "../src/classification/classifier.ts";
import type { IsotorchError } from "../src/base/errors.ts";
import { createFakeClassifier, recordCassette } from "../src/testing.ts";
import { TRITON, fakeServer, remote } from "./remote/fake.ts";
import { STANDIN } from "./standin.ts";

const IMAGE = fileURLToPath(new URL("../examples/images/landscape.jpg", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "members-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fake = (): Promise<Classifier> => createFakeClassifier(() => [{ index: 207, score: 0.96 }]);

const KINDS: Readonly<Record<string, () => Promise<Classifier>>> = {
  "a worker of this machine": () => createClassifier(STANDIN),
  "an isotorch server": async () => remote(await fakeServer()),
  "a server of others": async () => remote(await fakeServer({ name: "triton", model: TRITON })),
  "a server that says nothing of itself": async () =>
    remote(await fakeServer({ metadata: { extensions: [] }, model: TRITON, network: undefined })),
  "a fake": fake,
  "a recorded one": async () => recordCassette(await fake(), join(folder, "answers.json")),
};

/** What comes of `embed`: the shape, or the code of the error where nobody has one to give. */
const EMBEDS: Readonly<Record<string, unknown>> = {
  "a worker of this machine": [4],
  "an isotorch server": "REMOTE_MISMATCH", // of before it had an output for it
  "a server of others": "REMOTE_MISMATCH",
  "a server that says nothing of itself": "REMOTE_MISMATCH",
  "a fake": "INVALID_OPTION",
  "a recorded one": "INVALID_OPTION",
};

const LABELS = Array.from({ length: 1_000 }, (_, index) => `class ${index}`);

type Case = readonly [call: (classifier: Classifier) => unknown, expected: unknown];

/** A call of each member, and what comes of it; a member without one does not compile. The last ones close. */
const MEMBERS: Readonly<Record<keyof Classifier, Case>> = {
  info: [(classifier) => classifier.info().spec.crop, 224],
  health: [(classifier) => classifier.health().ready, true],
  stats: [(classifier) => classifier.stats().failed, 0],
  models: [(classifier) => classifier.models(), expect.arrayContaining(["resnet101"])],
  on: [(classifier) => classifier.on("state", () => undefined)(), true],
  preprocess: [async (classifier) => (await classifier.preprocess(IMAGE)).shape, [1, 3, 224, 224]],
  embed: [
    (classifier) =>
      classifier.embed(IMAGE).then(
        ({ shape }) => shape,
        (error: unknown) => (error as IsotorchError).code,
      ),
    undefined, // each kind's own
  ],
  classify: [async (classifier) => (await classifier.classify([IMAGE], { topK: 1 })).length, 1],
  classifySettled: [
    async (classifier) => (await classifier.classifySettled([IMAGE])).map(({ status }) => status),
    ["fulfilled"],
  ],
  classifyDetailed: [
    async (classifier) => {
      const include = { tensor: true, pixels: true, timings: true };
      return Object.keys(await classifier.classifyDetailed(IMAGE, { include }));
    },
    expect.arrayContaining(["top", "tensor", "pixels", "timings"]),
  ],
  classifyStream: [
    async (classifier) => {
      const statuses: string[] = [];
      for await (const { status } of classifier.classifyStream([IMAGE])) statuses.push(status);
      return statuses;
    },
    ["fulfilled"],
  ],
  reload: [(classifier) => classifier.reload({ labels: LABELS }), undefined],
  close: [(classifier) => classifier.close(), undefined],
  [Symbol.asyncDispose]: [(classifier) => classifier[Symbol.asyncDispose](), undefined],
};

test.each(Object.keys(KINDS))("every member of %s answers", async (kind) => {
  const classifier = await KINDS[kind]!();
  for (const name of Reflect.ownKeys(MEMBERS) as (keyof Classifier)[]) {
    const [call, expected] = MEMBERS[name];
    const wanted = name === "embed" ? EMBEDS[kind] : expected;
    expect(await call(classifier), String(name)).toEqual(wanted);
  }
  // What ran can be asked for afterwards as well.
  expect(classifier.info().spec.crop).toBe(224);
  expect([classifier.health().phase, classifier.health().ready]).toEqual(["stopped", false]);
});

test.each([
  ["a fake", fake],
  ["a recorded fake", async () => recordCassette(await fake(), join(folder, "reloaded.json"))],
])("%s can be reloaded to servers elsewhere, as whoever answers in its place can", async (_, make) => {
  const classifier = await make();
  await classifier.reload({ remote: "http://127.0.0.1:9" });
  expect(classifier.stats().starts).toBe(2);
  await classifier.close();
});
