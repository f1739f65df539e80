import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { createClassifier } from "../../src/classification/classifier.ts";
import { PACKAGE_VERSION } from "../../src/base/version.ts";
import { specOf } from "../../src/checkpoints/table.ts";
import { readHeader } from "../../src/image/format.ts";
import { referenceDigests } from "../../src/image/attest/built-in.ts";
import { preprocess } from "../../src/classification/oneshot.ts";
import { codeOf, failureOf } from "../failure.ts";
import { NETWORK, OURS, TRITON, fakeServer, logitsOf, probabilitiesOf, remote, tensor } from "./fake.ts";
import type { FakeServerOptions } from "./fake.ts";

const PICTURE = fileURLToPath(new URL("../../examples/images/balloons.jpg", import.meta.url));

const KIND = String(readHeader(readFileSync(PICTURE)).kind);

describe("an isotorch server", () => {
  test("gets the very bits that preprocess() gives", async () => {
    const server = await fakeServer();
    const classifier = await remote(server);
    await classifier.classify(PICTURE);
    const { data } = await preprocess(PICTURE);
    const expected = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    expect(server.seen[0]?.binary.equals(expected)).toBe(true);
  });

  test("gives labels, order, scores and percentages, all of them its own", async () => {
    const classifier = await remote(await fakeServer());
    const top = await classifier.classify(tensor(3));
    const probabilities = probabilitiesOf(logitsOf(3));
    const best = [...probabilities.keys()].toSorted((a, b) => probabilities[b]! - probabilities[a]!);
    expect(top).toEqual(
      best.slice(0, 5).map((index) => ({
        label: `label: ${index}`,
        index,
        score: probabilities[index],
        percent: Math.fround(probabilities[index]! * 100),
      })),
    );
    expect(await classifier.classify(tensor(3), { topK: 0 })).toHaveLength(1_000);
  });

  test("gives logits and probabilities where they are asked for, bit for bit", async () => {
    const classifier = await remote(await fakeServer());
    const include = { logits: true, probabilities: true, tensor: true, timings: true };
    const detailed = await classifier.classifyDetailed(tensor(4), { include });
    expect(detailed.logits).toEqual(logitsOf(4));
    expect(detailed.probabilities).toEqual(probabilitiesOf(logitsOf(4)));
    expect(detailed.tensor).toEqual(tensor(4));
    expect(Object.keys(detailed.timings ?? {})).toEqual(
      expect.arrayContaining(["picture", "worker", "exchange"]),
    );
    // How many pictures were computed together only the server knows.
    expect(detailed).not.toHaveProperty("batch");
  });

  test.each([
    ["pixels", "pixels", 150_528],
    ["encoded", "image", readFileSync(PICTURE).length + 4],
  ] as const)("takes %s where the caller wants that", async (handoff, name, bytes) => {
    const server = await fakeServer();
    const classifier = await remote(server, {}, { handoff });
    await classifier.classify(PICTURE);
    expect(server.seen[0]?.json.inputs[0]?.name).toBe(name);
    expect(server.seen[0]?.binary).toHaveLength(bytes);
  });

  test("says in info() what it runs, and nothing that nobody said", async () => {
    const server = await fakeServer();
    const classifier = await remote(server);
    expect(classifier.info()).toMatchObject({
      environment: "remote",
      device: "cpu",
      threads: 2,
      weights: { name: "a.pth", sha256: NETWORK.sha256, trained: null, transforms: "IMAGENET1K_V1" },
      remote: {
        urls: [server.url],
        server: { name: "isotorch", version: "7" },
        model: "resnet101",
        percentages: "torch",
        labels: "server",
      },
    });
  });

  test("that resizes to 232 gets pictures resized to 232", async () => {
    const server = await fakeServer({ network: { ...NETWORK, resize: 232 } });
    const classifier = await remote(server);
    expect(classifier.info().spec.resize).toBe(232);
    const { data } = await preprocess(PICTURE, { transforms: "IMAGENET1K_V2" });
    expect((await classifier.preprocess(PICTURE)).data).toEqual(data);
  });

  test("hears of the request's id, its trace, its deadline and its token", async () => {
    const server = await fakeServer({ token: "secret-of-the-test" });
    const classifier = await remote(server, { token: "secret-of-the-test" });
    const trace = "0af7651916cd43dd8448eb211c80319c";
    await classifier.classify(tensor(1), {
      requestId: "call-7",
      traceparent: `00-${trace}-b7ad6b7169203331-01`,
      timeoutMs: 4_000,
    });
    const { headers, json } = server.seen[0]!;
    expect(headers["x-request-id"]).toBe("call-7");
    expect(json.id).toBe("call-7");
    expect(headers["traceparent"]).toMatch(new RegExp(`^00-${trace}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`));
    const left = Number(headers["x-request-timeout-ms"]);
    expect(left).toBeGreaterThan(2_000);
    expect(left).toBeLessThanOrEqual(4_000);
    expect(json.parameters?.timeout).toBe(left * 1_000);
  });

  test("is asked over few connections that are kept", async () => {
    const server = await fakeServer();
    const classifier = await remote(server, { connections: 2 });
    await Promise.all(Array.from({ length: 40 }, (_, at) => classifier.classify(tensor(at))));
    expect(server.seen).toHaveLength(40);
    expect(server.connections).toBeLessThanOrEqual(3);
  });

  test("answers each picture of a list with its own classes, in order", async () => {
    const classifier = await remote(await fakeServer());
    const values = Array.from({ length: 30 }, (_, at) => at / 7);
    const answers = await classifier.classify(values.map(tensor), { topK: 1 });
    const best = values.map((value) => {
      const logits = logitsOf(Math.fround(value));
      return logits.indexOf(Math.max(...logits));
    });
    expect(answers.map(([top]) => top?.index)).toEqual(best);
  });
});

describe("an isotorch server that says what its Pillow does", () => {
  const attested = (digests: Readonly<Record<string, string>>) => ({
    model: { ...OURS, parameters: { attestation: digests } },
  });

  test("gets tensors where Node does the same, and info() says who was asked", async () => {
    const server = await fakeServer(attested(referenceDigests()));
    const classifier = await remote(server);
    const { preprocessedBy } = await classifier.classifyDetailed(PICTURE);
    expect([server.seen[0]?.json.inputs[0]?.name, preprocessedBy]).toEqual(["input", "node"]);
    expect(classifier.info().attestation).toMatchObject({ source: "server", worker: [] });
  });

  test("gets the files of a kind that it decodes otherwise, and of that kind alone", async () => {
    const server = await fakeServer(attested({ ...referenceDigests(), [KIND]: "another" }));
    const classifier = await remote(server);
    await classifier.classify(PICTURE);
    await classifier.classify(PICTURE.replace("balloons.jpg", "dog.webp"));
    expect(server.seen.map(({ json }) => json.inputs[0]?.name)).toEqual(["image", "input"]);
    expect(server.seen[0]?.binary.subarray(4).equals(readFileSync(PICTURE))).toBe(true);
    expect(classifier.info().attestation.worker).toEqual([KIND]);
    expect(classifier.stats().preprocessed).toEqual({ node: 1, worker: 1 });
  });

  test("gives no tensor of what it prepares itself: a typed error, no tensor with other bits", async () => {
    const server = await fakeServer(attested({ ...referenceDigests(), [KIND]: "another" }));
    expect(await codeOf((await remote(server)).preprocess(PICTURE))).toBe("UNSUPPORTED_FORMAT");
  });

  test("and another one whose Pillow does something else are not one classifier", async () => {
    const servers = [
      await fakeServer(attested(referenceDigests())),
      await fakeServer(attested({ ...referenceDigests(), crop: "another" })),
    ];
    const { code, message } = await failureOf(remote(servers));
    expect(code).toBe("REMOTE_MISMATCH");
    expect(message).toMatch(/Pillow/);
  });
});

describe("a server of others", () => {
  test("says nothing of its Pillow: pictures are prepared as by the most common one, and info() says so", async () => {
    const classifier = await remote(await fakeServer({ name: "triton", model: TRITON }));
    expect(classifier.info().attestation).toMatchObject({ source: "reference", worker: [] });
  });

  test("that gives logits alone: softmax comes from here, and info() says so", async () => {
    const classifier = await remote(await fakeServer({ name: "triton", model: TRITON }));
    const [best] = await classifier.classify(tensor(2));
    const logits = logitsOf(2);
    expect(best?.index).toBe(logits.indexOf(Math.max(...logits)));
    expect(best?.score).toBeCloseTo(probabilitiesOf(logits)[best!.index]!, 6);
    expect(classifier.info()).toMatchObject({
      remote: { server: { name: "triton" }, percentages: "node", labels: "package" },
    });
    expect(best?.label).not.toMatch(/^label/);
  });

  test.each([
    ["its name", { name: "triton" }, "triton 7"],
    ["nothing of itself", { metadata: { extensions: [] } }, "the server"],
  ])("that says %s: info() has what Node knows, and nothing stands for the rest", async (_, says, who) => {
    const server = await fakeServer({ model: TRITON, ...says });
    const info = (await remote(server)).info();
    expect(info).toEqual({
      package: PACKAGE_VERSION,
      environment: "remote",
      environmentReason: "the server has its own",
      versions: {},
      deviceReason: `${who} at ${server.url} chose it`,
      handoff: "tensor",
      weights: { trained: null, transforms: "IMAGENET1K_V1" },
      spec: specOf("IMAGENET1K_V1"),
      classes: 1_000,
      timeoutMs: 30_000,
      warmupMs: expect.any(Number),
      attestation: expect.objectContaining({ source: "reference" }),
      remote: {
        urls: [server.url],
        server: "metadata" in says ? {} : { name: "triton", version: "7" },
        model: "resnet101",
        inputs: { tensor: "INPUT__0" },
        outputs: { logits: "OUTPUT__0" },
        percentages: "node",
        labels: "package",
      },
    });
    // `toEqual` takes a key without a value for none.
    expect(JSON.parse(JSON.stringify(info))).toStrictEqual(info);
    expect(JSON.stringify(info)).not.toContain("unknown");
  });

  test("gets no pixels and no files: it may read them in another way", async () => {
    const server = await fakeServer({ name: "triton", model: TRITON });
    expect(await codeOf(remote(server, {}, { handoff: "pixels" }))).toBe("REMOTE_MISMATCH");
    const classifier = await remote(server);
    const { code, hint } = await failureOf(classifier.classify(PICTURE, { handoff: "encoded" }));
    expect(code).toBe("UNSUPPORTED_FORMAT");
    expect(hint).not.toBe("");
  });
});

describe("a server of others with a network of another kind", () => {
  const [input] = TRITON.inputs;
  const [output] = TRITON.outputs;
  const three = { ...TRITON, outputs: [{ ...output, shape: [-1, 3] }] };
  const large = { ...TRITON, inputs: [{ ...input, shape: [-1, 3, 299, 299] }] };
  const logits: FakeServerOptions["instead"] = ({ json }, response) => {
    const data = [1, 3, 2];
    const outputs = [{ name: "OUTPUT__0", datatype: "FP32", shape: [1, 3], data }];
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ id: json.id, outputs }));
    return true;
  };

  test("has as many classes as it says, whose names the caller gives", async () => {
    const server = await fakeServer({ name: "triton", model: three, instead: logits });
    const classifier = await remote(server, {}, { labels: ["a", "b", "c"] });
    expect(classifier.info()).toMatchObject({ classes: 3, remote: { labels: "numbers" } });
    const top = await classifier.classify(tensor(1));
    expect(top.map(({ label }) => label)).toEqual(["b", "c", "a"]);
    const half = await classifier.classify(tensor(1), { threshold: 0.5 });
    expect(half.map(({ label }) => label)).toEqual(["b"]);
  });

  test("has the size that it says, for which the caller says the preprocessing", async () => {
    const server = await fakeServer({ name: "triton", model: large });
    const transforms = { resize: 342, crop: 299 };
    const classifier = await remote(server, {}, { transforms });
    expect(classifier.info()).toMatchObject({ spec: transforms, weights: { transforms: null } });
    expect((await classifier.preprocess(PICTURE)).shape).toEqual([1, 3, 299, 299]);
    const other = remote(server, {}, { transforms: { resize: 256, crop: 224 } });
    expect(await failureOf(other)).toMatchObject({
      code: "REMOTE_MISMATCH",
      message: expect.stringMatching(/299/),
    });
  });

  test("has neither embeddings nor another activation", async () => {
    const classifier = await remote(await fakeServer({ name: "triton", model: TRITON }));
    expect(await codeOf(classifier.embed(tensor(1)))).toBe("REMOTE_MISMATCH");
    expect(await codeOf(classifier.classify(tensor(1), { activation: "sigmoid" }))).toBe("REMOTE_MISMATCH");
  });
});

test("the network is the server's: `model` belongs to a worker, and the hint says where the name goes", async () => {
  const server = await fakeServer();
  const { code, hint } = await failureOf(remote(server, {}, { model: "resnet50" }));
  expect([code, hint]).toEqual(["INVALID_OPTION", expect.stringContaining("remote: { url, model }")]);
});

describe("what does not fit is refused at creation:", () => {
  test("servers of two kinds, of which one does not say what it is", async () => {
    const servers = [
      await fakeServer({ name: "triton", model: TRITON }),
      await fakeServer({ metadata: { extensions: [] }, model: TRITON }),
    ];
    const { code, message } = await failureOf(remote(servers));
    expect([code, message]).toEqual(["REMOTE_MISMATCH", expect.stringContaining("without a name")]);
  });

  const [input] = TRITON.inputs;
  const [output] = TRITON.outputs;
  test.each([
    ["another input", { ...TRITON, inputs: [{ ...input, shape: [-1, 3, 299, 299] }] }, /299/],
    ["another datatype", { ...TRITON, inputs: [{ ...input, datatype: "FP16" }] }, /FP16/],
    ["two inputs", { ...TRITON, inputs: [input, { ...input, name: "mask" }] }, /2 inputs/],
    ["another number of classes", { ...TRITON, outputs: [{ ...output, shape: [-1, 10] }] }, /10/],
    [
      "two outputs that could be it",
      { ...TRITON, outputs: [output, { ...output, name: "B" }] },
      /by the name/,
    ],
    ["no metadata", { name: "resnet101" }, /there are none/],
  ])("%s", async (_, model, sentence) => {
    const { code, message } = await failureOf(remote(await fakeServer({ name: "triton", model })));
    expect(code).toBe("REMOTE_MISMATCH");
    expect(message).toMatch(sentence);
  });

  test("probabilities that are called logits", async () => {
    const model = { ...OURS_LOGITS };
    const server = await fakeServer({
      name: "triton",
      model,
      instead: ({ json }, response) => {
        const data = [...probabilitiesOf(logitsOf(1))];
        const outputs = [{ name: "logits", datatype: "FP32", shape: [1, 1_000], data }];
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ id: json.id, outputs }));
        return true;
      },
    });
    expect((await failureOf(remote(server))).message).toMatch(/probabilities/);
  });

  test("two servers with different weights", async () => {
    const servers = [
      await fakeServer(),
      await fakeServer({ network: { ...NETWORK, sha256: "2".repeat(64) } }),
    ];
    const { code, message } = await failureOf(remote(servers));
    expect(code).toBe("REMOTE_MISMATCH");
    expect(message).toMatch(/sha256/);
  });

  test("preprocessing that is not the server's", async () => {
    expect(await codeOf(remote(await fakeServer(), {}, { transforms: "IMAGENET1K_V2" }))).toBe(
      "REMOTE_MISMATCH",
    );
  });

  test("a wrong token, with no word of it", async () => {
    const error = await failureOf(
      remote(await fakeServer({ token: "right-token" }), { token: "wrong-token" }),
    );
    expect(error.code).toBe("REMOTE_REFUSED");
    expect(`${error.message} ${error.hint} ${error.stack}`).not.toMatch(/wrong-token|right-token/);
  });

  test("a model that is not there", async () => {
    expect(await codeOf(remote(await fakeServer(), { model: "resnet50" }))).toBe("REMOTE_REFUSED");
  });

  test("nobody there", async () => {
    expect(await codeOf(createClassifier({ remote: "http://127.0.0.1:9" }))).toBe("REMOTE_UNREACHABLE");
  });

  test.each([
    [{ remote: "ftp://somewhere" }, /http/],
    [{ remote: "http://name:secret-word@host" }, /password/],
    [{ remote: ["http://host", "http://host/"] }, /twice/],
    [{ remote: { url: "http://host", tokn: "secret-word" } as never }, /remote/],
    [{ remote: "http://host", device: "cpu" as const }, /device/],
  ])("the options %j", async (options, sentence) => {
    const { code, message } = await failureOf(createClassifier(options));
    expect(code).toBe("INVALID_OPTION");
    expect(message).toMatch(sentence);
    expect(message).not.toMatch(/secret-word/);
  });
});

const OURS_LOGITS = { ...TRITON, outputs: [{ name: "logits", datatype: "FP32", shape: [-1, 1_000] }] };
