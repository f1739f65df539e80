/** The Open Inference Protocol against a fake classifier: fields, types, shapes, order, refusals. */
import { describe, expect, test } from "vitest";
import { preprocess } from "../../src/classification/oneshot.ts";
import type { Server } from "../../src/server.ts";
import { INFER, VALUES, elements, infer as inferWith, tensor } from "./infer.ts";
import { JPEG, answerOf, errorOf, send, shared } from "./serve.ts";
import type { Reply } from "./serve.ts";

function bytesOf(...arrays: readonly Float32Array[]): Buffer {
  return Buffer.concat(arrays.map(({ buffer, byteLength }) => Buffer.from(buffer, 0, byteLength)));
}

const infer = (server: Server, request: object, binary?: Buffer): Promise<Reply> =>
  inferWith(server, request, binary === undefined ? {} : { binary });

const binaryInput = (count: number, size = count * VALUES * 4): object => ({
  name: "input",
  shape: [count, 3, 224, 224],
  datatype: "FP32",
  parameters: { binary_data_size: size },
});

/** The JSON and the tensors behind it. */
function parse({ body, headers }: Reply): {
  outputs: Record<string, unknown>[];
  id?: string;
  tensors: Buffer[];
} {
  const length = Number(headers["inference-header-content-length"] ?? body.length);
  const json = JSON.parse(body.subarray(0, length).toString()) as {
    outputs: Record<string, unknown>[];
    id?: string;
  };
  let at = length;
  const tensors = json.outputs.flatMap(({ parameters }) => {
    const size = (parameters as { binary_data_size?: number } | undefined)?.binary_data_size;
    if (size === undefined) return [];
    at += size;
    return [body.subarray(at - size, at)];
  });
  expect(at).toBe(body.length);
  return { ...json, tensors };
}

const logitsOf = (first: number): Float32Array =>
  (answerOf({ data: tensor(first), shape: [] }) as { logits: Float32Array }).logits;

describe("metadata:", () => {
  test("of the server and of the model, with and without a version", async () => {
    const server = await shared();
    expect((await send(server, "/v2")).json).toMatchObject({
      name: "isotorch",
      extensions: ["binary_tensor_data", "classification", "model_configuration", "statistics"],
    });
    for (const path of ["/v2/models/resnet101", "/v2/models/resnet101/versions/1"]) {
      expect((await send(server, path)).json).toMatchObject({
        name: "resnet101",
        versions: ["1"],
        platform: "pytorch",
        inputs: [
          { name: "input", datatype: "FP32", shape: [-1, 3, 224, 224] },
          { name: "pixels", datatype: "UINT8", shape: [-1, 224, 224, 3] },
          { name: "image", datatype: "BYTES", shape: [-1, 1] },
        ],
        outputs: [{ name: "logits" }, { name: "probabilities" }, { name: "indices" }],
      });
      expect((await send(server, `${path}/ready`)).json).toEqual({ name: "resnet101", ready: true });
    }
    expect((await send(server, "/v2/health/live")).json).toEqual({ live: true });
    expect((await send(server, "/v2/health/ready")).status).toBe(200);
  });

  test("another model or version is not found, with the protocol's error", async () => {
    const server = await shared();
    for (const path of [
      "/v2/models/resnet18",
      "/v2/models/resnet101/versions/2",
      "/v2/models/resnet18/ready",
      "/v2/nothing",
    ]) {
      const reply = await send(server, path);
      expect([path, reply.status, typeof reply.json["error"]]).toEqual([path, 404, "string"]);
    }
  });
});

describe("inference:", () => {
  test("binary tensors go in and come out with every bit, item by item in their order", async () => {
    const values = [3, 1, 2];
    const request = {
      id: "42",
      inputs: [binaryInput(3)],
      outputs: [{ name: "logits", parameters: { binary_data: true } }],
    };
    const reply = await infer(await shared(), request, bytesOf(...values.map(tensor)));
    expect([reply.status, reply.headers["content-type"]]).toEqual([200, "application/octet-stream"]);
    const { id, outputs, tensors } = parse(reply);
    expect(id).toBe("42");
    expect(outputs).toEqual([
      { name: "logits", datatype: "FP32", shape: [3, 1_000], parameters: { binary_data_size: 12_000 } },
    ]);
    expect(tensors[0]?.equals(bytesOf(...values.map(logitsOf)))).toBe(true);
  });

  test("JSON, flat or nested, gives the same, and all outputs where none is named", async () => {
    const server = await shared();
    const flat = [...tensor(7)];
    const rows = (size: number, from: number[]): number[][] =>
      Array.from({ length: from.length / size }, (_, at) => from.slice(at * size, (at + 1) * size));
    const planes = rows(224 * 224, flat).map((plane) => rows(224, plane));
    for (const data of [flat, [planes]]) {
      const { json } = await infer(server, {
        inputs: [{ name: "input", shape: [1, 3, 224, 224], datatype: "FP32", data }],
      });
      expect(json).toMatchObject({ model_name: "resnet101", model_version: "1" });
      const outputs = json["outputs"] as {
        name: string;
        data: number[];
        shape: number[];
        datatype: string;
      }[];
      expect(outputs.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual([
        ["logits", "FP32", [1, 1_000]],
        ["probabilities", "FP32", [1, 1_000]],
        ["indices", "INT32", [1, 1_000]],
      ]);
      expect(outputs[0]?.data).toEqual([...logitsOf(7)]);
      expect(outputs[2]?.data.slice().toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 1_000 }, (_, at) => at),
      );
    }
  });

  test("encoded pictures and cropped pixels are inputs of their own", async () => {
    const server = await shared();
    const expected = (answerOf(await preprocess(JPEG)) as { logits: Float32Array }).logits;
    const outputs = [{ name: "logits", parameters: { binary_data: true } }];
    const encoded = elements(JPEG, JPEG);
    const image = {
      name: "image",
      shape: [2],
      datatype: "BYTES",
      parameters: { binary_data_size: encoded.length },
    };
    const { tensors } = parse(await infer(server, { inputs: [image], outputs }, encoded));
    expect(tensors[0]?.equals(bytesOf(expected, expected))).toBe(true);

    const black = Buffer.alloc(224 * 224 * 3);
    const pixels = {
      name: "pixels",
      shape: [1, 224, 224, 3],
      datatype: "UINT8",
      parameters: { binary_data_size: black.length },
    };
    const normalised = (
      answerOf({
        data: Float32Array.of(Math.fround(0 - Math.fround(0.485)) / Math.fround(0.229)),
        shape: [],
      }) as { logits: Float32Array }
    ).logits;
    expect(
      parse(await infer(server, { inputs: [pixels], outputs }, black)).tensors[0]?.equals(
        bytesOf(normalised),
      ),
    ).toBe(true);
    const json = { ...pixels, parameters: {}, data: [...black] };
    expect(
      parse(await infer(server, { inputs: [json], outputs })).tensors[0]?.equals(bytesOf(normalised)),
    ).toBe(true);
  });

  test("classification answers value:index:label, best first, in JSON and in binary", async () => {
    const server = await shared();
    const asked = (binary: boolean): object => ({
      inputs: [binaryInput(2)],
      outputs: [{ name: "probabilities", parameters: { classification: 3, binary_data: binary } }],
    });
    const input = bytesOf(tensor(1), tensor(2));
    const { json } = await infer(server, asked(false), input);
    const [output] = json["outputs"] as { shape: number[]; datatype: string; data: string[] }[];
    expect([output?.shape, output?.datatype, output?.data.length]).toEqual([[2, 3], "BYTES", 6]);
    const { probabilities } = answerOf({ data: tensor(1), shape: [] }) as { probabilities: Float32Array };
    const best = probabilities.indexOf(Math.max(...probabilities));
    expect(output?.data[0]).toBe(`${probabilities[best]}:${best}:class ${best}`);
    const { tensors } = parse(await infer(server, asked(true), input));
    expect(tensors[0]?.equals(elements(...(output?.data ?? []).map((text) => Buffer.from(text))))).toBe(true);
  });

  test("binary_data_output sets what an output does not say itself", async () => {
    const request = {
      inputs: [binaryInput(1)],
      parameters: { binary_data_output: true },
      outputs: [{ name: "logits" }, { name: "probabilities", parameters: { binary_data: false } }],
    };
    const { outputs, tensors } = parse(await infer(await shared(), request, bytesOf(tensor(1))));
    expect(tensors.map(({ length }) => length)).toEqual([4_000]);
    expect(outputs[1]?.["data"]).toHaveLength(1_000);
  });

  test("Triton's client sends no content type: with the token or the binary header it needs none", async () => {
    const json = Buffer.from(
      JSON.stringify({ inputs: [{ ...binaryInput(1), parameters: {}, data: [...tensor(1)] }] }),
    );
    expect((await send(await shared(), INFER, { body: json })).status).toBe(200);
  });
});

describe("a request is refused with the field that is wrong:", () => {
  const good = { inputs: [binaryInput(1)] };
  const input = (over: object): object => ({ inputs: [{ ...binaryInput(1), ...over }] });
  const bad: [string, object, RegExp, Buffer?][] = [
    ["no inputs", {}, /inputs/],
    ["two inputs", { inputs: [binaryInput(1), binaryInput(1)] }, /exactly one/],
    ["an unknown input", input({ name: "inptu" }), /Did you mean input/],
    ["another datatype", input({ datatype: "FP64" }), /FP64.*expected FP32/],
    ["a shape of texts", input({ shape: [1, "3", 224, 224] }), /expected/],
    ["a shape of lists", input({ shape: [1, [3], 224, 224] }), /expected/],
    ["a shape that is no list", input({ shape: "1,3,224,224" }), /expected/],
    ["another shape", input({ shape: [1, 3, 224, 225] }), /\[1,3,224,225\]/],
    ["no batch", input({ shape: [3, 224, 224] }), /expected \[1 to 32, 3, 224, 224\]/],
    ["a batch of nothing", input({ shape: [0, 3, 224, 224] }), /expected/],
    ["a batch that is too large", input({ shape: [33, 3, 224, 224] }), /1 to 32/],
    ["a size that is wrong", input({ parameters: { binary_data_size: 12 } }), /binary_data_size is 12/],
    ["data twice", input({ data: [1] }), /both/],
    ["shared memory", input({ parameters: { shared_memory_region: "x" } }), /shared_memory_region/],
    [
      "too few values",
      { inputs: [{ ...binaryInput(1), parameters: {}, data: [1, 2] }] },
      /2 values/,
      Buffer.alloc(0),
    ],
    ["NaN in the tensor", good, /./, bytesOf(tensor(Number.NaN))],
    ["an unknown output", { ...good, outputs: [{ name: "logit" }] }, /Did you mean logits/],
    ["an output twice", { ...good, outputs: [{ name: "logits" }, { name: "logits" }] }, /twice/],
    [
      "too many classes",
      { ...good, outputs: [{ name: "logits", parameters: { classification: 1_001 } }] },
      /1001/,
    ],
    ["a sequence", { ...good, parameters: { sequence_id: 7 } }, /sequence_id/],
    ["an id that is no text", { ...good, id: 7 }, /id/],
    ["another model's name", { ...good, model_name: "resnet18" }, /model_name/],
    ["another version", { ...good, model_version: "2" }, /model_version/],
    ["a field that there is not", { ...good, output: [] }, /unknown field/],
    ["a timeout that is no time", { ...good, parameters: { timeout: -1 } }, /timeout/],
  ];

  test.each(bad)("%s", async (_, request, sentence, binary = bytesOf(tensor(1))) => {
    const reply = await infer(await shared(), request, binary);
    expect(reply.status).toBe(400);
    expect(reply.json["error"]).toMatch(sentence);
    expect(errorOf(reply).code).toMatch(/^(INVALID_INPUT|BAD_TENSOR)$/);
  });

  test("JSON that is none, a header length beyond the body, elements that lie", async () => {
    const server = await shared();
    const type = { "content-type": "application/json" };
    expect((await send(server, INFER, { body: "{", headers: type })).json["error"]).toMatch(/JSON/);
    const far = { ...type, "inference-header-content-length": "9999" };
    expect((await send(server, INFER, { body: "{}", headers: far })).json["error"]).toMatch(
      /Inference-Header-Content-Length/,
    );
    const lie = Buffer.from([255, 255, 255, 127, 1, 2]);
    const image = {
      name: "image",
      shape: [1],
      datatype: "BYTES",
      parameters: { binary_data_size: lie.length },
    };
    expect((await infer(server, { inputs: [image] }, lie)).json["error"]).toMatch(/claims more/);
  });

  test("one bad picture of a batch fails the request with its own reason", async () => {
    const both = elements(JPEG, Buffer.from("not a picture at all"));
    const image = {
      name: "image",
      shape: [2],
      datatype: "BYTES",
      parameters: { binary_data_size: both.length },
    };
    const reply = await infer(await shared(), { inputs: [image] }, both);
    expect([reply.status, errorOf(reply).code]).toEqual([415, "UNSUPPORTED_FORMAT"]);
  });
});
