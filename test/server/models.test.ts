/** Several networks on one server, each with its own classes, preprocessing and embedding. */
import { expect, test } from "vitest";
import { createClassifier } from "../../src/classification/classifier.ts";
import type { Classifier } from "../../src/classification/classifier.ts";
import { createServer } from "../../src/server.ts";
import { createFakeClassifier } from "../../src/testing.ts";
import type { FakeOptions } from "../../src/testing.ts";
import { failureOf } from "../failure.ts";
import { JPEG, TOKEN, closing, errorOf, fake, picture, send, serve } from "./serve.ts";

const FLOWERS = ["daisy", "rose", "tulip"];
const WIDE = { resize: [64, 96], crop: [48, 80], interpolation: "bilinear" } as const;

/** Three classes and an embedding of two values: what it is given first, and how it was asked. */
async function flowers(options: FakeOptions = {}): Promise<Classifier> {
  const classifier = await createFakeClassifier(
    (image, { activation = "softmax" }) => {
      const first = typeof image === "object" && "shape" in image ? image.data[0]! : 0;
      const scores = activation === "sigmoid" ? [0.25, 0.75, 0.5] : [0.125, 0.625, 0.25];
      return {
        top: scores.map((score, index) => ({ index, score })),
        logits: Float32Array.of(-1, 1, 0),
        probabilities: Float32Array.from(scores),
        embedding: { data: Float32Array.of(first, 7), shape: [2] },
      };
    },
    { readImages: true, labels: FLOWERS, model: "resnet18", ...options },
  );
  await classifier.reload({ transforms: WIDE });
  return closing(classifier);
}

/** As a worker says it: a fake knows its embedding from a cassette alone. */
function embedding(classifier: Classifier): Classifier {
  const info = classifier.info.bind(classifier);
  classifier.info = () => ({ ...info(), embedding: 2 });
  return classifier;
}

async function both() {
  const classifiers = { resnet101: closing(await fake()), flowers: embedding(await flowers()) };
  return closing(await createServer({ classifier: classifiers, token: TOKEN, port: 0, decoder: DECODING }));
}

const DECODING = {
  script: new URL("../../dist/image/process/child.js", import.meta.url),
  processes: 1,
};

test("each has its addresses, its shapes, its name and its place in the lists", async () => {
  const server = await both();
  expect((await send(server, "/v2/models")).json).toEqual({ models: ["resnet101", "flowers"] });
  const { body } = await send(server, "/v2/repository/index", { method: "POST" });
  expect(JSON.parse(body.toString())).toEqual([
    { name: "resnet101", version: "1", state: "READY", reason: "" },
    { name: "flowers", version: "1", state: "READY", reason: "" },
  ]);
  const { json } = await send(server, "/v2/models/flowers");
  expect(json).toMatchObject({
    name: "flowers",
    inputs: [{ shape: [-1, 3, 48, 80] }, { shape: [-1, 48, 80, 3] }, { shape: [-1, 1] }],
    outputs: [
      { name: "logits", shape: [-1, 3] },
      { name: "probabilities", shape: [-1, 3] },
      { name: "indices", shape: [-1, 3] },
      { name: "embedding", datatype: "FP32", shape: [-1, 2] },
    ],
    parameters: { model: "resnet18", spec: WIDE, activations: ["softmax", "sigmoid"] },
  });
  expect((await send(server, "/v2/models/resnet101")).json["outputs"]).toHaveLength(3);
  const config = (await send(server, "/v2/models/flowers/config")).json;
  expect(config["output"]).toContainEqual({ name: "embedding", data_type: "TYPE_FP32", dims: [2] });
  const reply = await send(server, "/v2/models/resnet50");
  expect([reply.status, errorOf(reply).hint]).toEqual([404, expect.stringContaining("resnet101, flowers")]);
});

test("a picture goes to the one that is asked for, and else to the first", async () => {
  const server = await both();
  const labels = async (query: string): Promise<unknown[]> => {
    const { json } = await picture(server, { query });
    return (json["top"] as { label: string }[]).map(({ label }) => label);
  };
  expect(await labels("?model=flowers&topK=3")).toEqual(["rose", "tulip", "daisy"]);
  expect(await labels("?model=flowers&topK=0&activation=sigmoid&threshold=0.5")).toEqual(["rose", "tulip"]);
  expect(await labels("")).toHaveLength(5);
  expect((await picture(server, { query: "?model=flowers&include=embedding" })).json["embedding"]).toEqual([
    expect.any(Number),
    7,
  ]);
  for (const query of ["?model=roses", "?activation=relu", "?threshold=2"]) {
    const reply = await picture(server, { query });
    expect([reply.status, errorOf(reply).code]).toEqual([400, "INVALID_OPTION"]);
  }
  expect((await send(server, "/status?model=flowers")).json).toMatchObject({
    model: "flowers",
    models: ["resnet101", "flowers"],
    network: { model: "resnet18" },
  });
});

test("metrics and statistics say whose they are", async () => {
  const server = await both();
  await picture(server, { query: "?model=flowers" });
  const lines = (await send(server, "/metrics")).body.toString().split("\n");
  for (const line of [
    'isotorch_pictures_total{model="flowers",outcome="ok"} 1',
    'isotorch_worker_ready{model="resnet101"} 1',
    'isotorch_worker_calls_total{model="flowers",event="succeeded"} 1',
    'isotorch_worker_calls_total{model="resnet101",event="succeeded"} 0',
  ])
    expect(lines).toContain(line);
  const counts = async (path: string): Promise<unknown> =>
    ((await send(server, path)).json["model_stats"] as Record<string, unknown>[]).map(
      ({ name, inference_count: count }) => [name, count],
    );
  expect(await counts("/v2/models/stats")).toEqual([
    ["resnet101", 0],
    ["flowers", 1],
  ]);
  expect(await counts("/v2/models/flowers/stats")).toEqual([["flowers", 1]]);
});

test("the server is ready when all of them are", async () => {
  const classifier = await flowers();
  const classifiers = { resnet101: closing(await fake()), flowers: classifier };
  const server = closing(
    await createServer({ classifier: classifiers, token: TOKEN, port: 0, decoder: DECODING }),
  );
  expect((await send(server, "/v2/health/ready")).status).toBe(200);
  await classifier.close();
  expect((await send(server, "/v2/health/ready")).status).toBe(503);
  expect((await send(server, "/v2/models/flowers/ready")).status).toBe(503);
  expect((await send(server, "/v2/models/resnet101/ready")).status).toBe(200);
  const index = await send(server, "/v2/repository/index", {
    body: '{"ready":true}',
    headers: { "content-type": "application/json" },
  });
  expect(JSON.parse(index.body.toString())).toEqual([expect.objectContaining({ name: "resnet101" })]);
});

test("one alone has its network's name", async () => {
  const server = await serve({ classifier: await flowers() });
  expect((await send(server, "/v2/models")).json).toEqual({ models: ["resnet18"] });
});

test("a request has the time of its network, where neither it nor the server says one", async () => {
  const times: number[] = [];
  const noted = (classifier: Classifier): Classifier => {
    const classifyDetailed = classifier.classifyDetailed.bind(classifier);
    classifier.classifyDetailed = (image, options) => {
      times.push(options?.timeoutMs ?? 0);
      return classifyDetailed(image, options);
    };
    return closing(classifier);
  };
  const large = noted(await createFakeClassifier(() => [{ index: 0, score: 1 }], { model: "vit_h_14" }));
  const small = noted(await createFakeClassifier(() => [{ index: 0, score: 1 }]));
  const classifier = { large, small };
  const server = closing(await createServer({ classifier, token: TOKEN, port: 0, decoder: DECODING }));
  for (const query of ["?model=large", "?model=small"]) await picture(server, { query });
  await picture(server, { query: "?model=large", headers: { "x-request-timeout-ms": "5000" } });
  expect(times.map((ms) => [ms > 3_000_000, ms > 5_000])).toEqual([
    [true, true],
    [false, true],
    [false, false],
  ]);
});

test.each([
  [{}, "no classifier"],
  [{ "a/b": 1 }, "a/b"],
  [{ stats: 1 }, "stats"],
  [{ one: 1 }, "no classifier"],
])("what is no classifier and no name for one is refused: %j", async (classifier, says) => {
  const { code, message } = await failureOf(createServer({ classifier: classifier as never, port: 0 }));
  expect([code, message]).toEqual(["INVALID_OPTION", expect.stringContaining(says)]);
});

test("a classifier elsewhere has its classes, its preprocessing, its labels and its embeddings", async () => {
  const server = await both();
  const connect = (options: object = {}): Promise<Classifier> =>
    createClassifier({ remote: { url: server.url, token: TOKEN, model: "flowers" }, ...options });
  const classifier = closing(await connect());
  expect(classifier.info()).toMatchObject({
    model: "resnet18",
    classes: 3,
    embedding: 2,
    spec: WIDE,
    weights: { transforms: null },
    remote: { model: "flowers", labels: "server" },
  });
  // The fake's environment attests no resize to such sides: the file goes to the server as it is.
  expect((await classifier.classify(JPEG)).map(({ label }) => label)).toEqual(["rose", "tulip", "daisy"]);
  const tensor = { data: new Float32Array(3 * 48 * 80).fill(0.5), shape: [1, 3, 48, 80] };
  expect(await classifier.embed(tensor)).toEqual({ data: Float32Array.of(0.5, 7), shape: [2] });
  const sure = await classifier.classify(JPEG, { topK: 0, activation: "sigmoid", threshold: 0.5 });
  expect(sure.map(({ label, score }) => [label, score])).toEqual([
    ["rose", 0.75],
    ["tulip", 0.5],
  ]);
  expect((await failureOf(classifier.classify(JPEG, { topK: 4 }))).code).toBe("INVALID_OPTION");
  // The same preprocessing may be asked for, another one may not.
  const { spec } = classifier.info();
  closing(await connect({ transforms: spec }));
  expect((await failureOf(connect({ transforms: "IMAGENET1K_V1" }))).code).toBe("REMOTE_MISMATCH");
  expect((await failureOf(connect({ labels: ["one"] }))).code).toBe("BAD_LABELS");
});
