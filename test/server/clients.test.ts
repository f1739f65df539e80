/** What the protocol's clients send, by raw requests: KServe's, MLServer's, Triton's, TF Serving's, curl's. */
import { deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { preprocess } from "../../src/classification/oneshot.ts";
import { INFER, VALUES, elements, infer, tensor } from "./infer.ts";
import { JPEG, TOKEN, answerOf, errorOf, picture, send, serve, shared } from "./serve.ts";

const DATA = [...tensor(7)];
const INPUT = { name: "input", datatype: "FP32", shape: [1, 3, 224, 224], data: DATA };
const BEST = [{ name: "probabilities", parameters: { classification: 1 } }];

describe("what changes nothing is ignored:", () => {
  test.each<[string, object]>([
    ["KServe's client", { id: "a", model_name: "resnet101", inputs: [INPUT], outputs: BEST }],
    ["a version", { model_version: "1", inputs: [INPUT], outputs: BEST }],
    ["no version", { model_version: "", inputs: [INPUT], outputs: BEST }],
    [
      "MLServer's content types",
      {
        parameters: { content_type: "np", headers: { a: "b" } },
        inputs: [{ ...INPUT, parameters: { content_type: "np" } }],
        outputs: [{ name: "probabilities", parameters: { classification: 1, content_type: "np" } }],
      },
    ],
    [
      "custom parameters",
      {
        parameters: { user: "abc", priority: 1, sequence_id: 0, sequence_start: false },
        inputs: [INPUT],
        outputs: BEST,
      },
    ],
    [
      "null, which is absent",
      {
        id: null,
        parameters: null,
        model_name: null,
        model_version: null,
        inputs: [{ ...INPUT, parameters: { binary_data_size: null } }],
        outputs: [{ name: "probabilities", parameters: { binary_data: null, classification: 1 } }],
      },
    ],
    ["no outputs", { inputs: [{ ...INPUT, parameters: null }], outputs: null }],
  ])("%s", async (_, request) => {
    const reply = await infer(await shared(), request);
    expect([reply.status, reply.json["error"]]).toEqual([200, undefined]);
  });

  test.each<[string, object, RegExp]>([
    ["a sequence", { parameters: { sequence_id: 3 } }, /sequence_id/],
    ["the start of one", { parameters: { sequence_start: true } }, /sequence_start/],
    ["shared memory", { inputs: [{ ...INPUT, parameters: { shared_memory_region: "x" } }] }, /shared_memory/],
    [
      "shared memory for an output",
      { outputs: [{ name: "logits", parameters: { shared_memory_region: "x" } }] },
      /shared_memory/,
    ],
  ])("%s would change something, and is refused", async (_, over, sentence) => {
    const reply = await infer(await shared(), { inputs: [INPUT], ...over });
    expect([reply.status, reply.json["error"]]).toEqual([400, expect.stringMatching(sentence)]);
  });
});

describe("several inputs, as perf_analyzer makes them up from the metadata:", () => {
  const float = Buffer.from(tensor(3).buffer as ArrayBuffer);
  const text = elements(Buffer.from("no picture"));
  const input = { ...INPUT, data: undefined, parameters: { binary_data_size: float.length } };
  const pixels = { name: "pixels", datatype: "UINT8", shape: [1, 224, 224, 3] };
  const image = { name: "image", datatype: "BYTES", shape: [1, 1] };
  const sized = (of: object, binary_data_size: number): object => ({
    ...of,
    parameters: { binary_data_size },
  });

  test("the tensor counts, wherever it stands", async () => {
    const server = await shared();
    const alone = await infer(server, { inputs: [input], outputs: BEST }, { binary: float });
    const others = [sized(pixels, VALUES), sized(image, text.length)];
    for (const [inputs, parts] of [
      [
        [input, ...others],
        [float, Buffer.alloc(VALUES), text],
      ],
      [
        [...others, input],
        [Buffer.alloc(VALUES), text, float],
      ],
    ] as const) {
      const reply = await infer(server, { inputs, outputs: BEST }, { binary: Buffer.concat(parts) });
      expect([reply.status, reply.json]).toEqual([200, alone.json]);
    }
  });

  test.each<[string, readonly object[]]>([
    ["twice", [input, input]],
    ["without the tensor", [sized(pixels, VALUES), sized(image, float.length * 2 - VALUES)]],
    ["with an unknown one", [input, sized({ ...image, name: "text" }, float.length)]],
    ["in JSON beside binary", [input, { ...image, data: ["AAAA"] }]],
    ["longer than the body", [input, sized(image, float.length + 1)]],
    ["shorter than it", [input, sized(image, float.length - 1)]],
    ["of no length", [input, sized(image, -1)]],
  ])("%s is refused", async (_, inputs) => {
    const reply = await infer(await shared(), { inputs }, { binary: Buffer.concat([float, float]) });
    expect([reply.status, errorOf(reply).code]).toEqual([400, "INVALID_INPUT"]);
  });
});

describe("pictures as BYTES:", () => {
  const text = JPEG.toString("base64");
  const image = { name: "image", datatype: "BYTES", shape: [1] };
  const outputs = [{ name: "logits", parameters: { binary_data: true } }];

  test("in base64, plain or as b64, in a list or a column, say the same as in binary", async () => {
    const server = await shared();
    const expected = Buffer.from(
      (answerOf(await preprocess(JPEG)) as { logits: Float32Array<ArrayBuffer> }).logits.buffer,
    );
    const behind = ({ body, headers }: Awaited<ReturnType<typeof infer>>): Buffer =>
      body.subarray(Number(headers["inference-header-content-length"]));
    const inputs = [
      { ...image, data: [text] },
      { ...image, data: [{ b64: text }] },
      { ...image, data: [text.replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_")] },
      { ...image, data: [text], parameters: { content_type: "base64" } },
      { ...image, shape: [1, 1], data: [[text]] },
      { ...image, shape: [1, 1], data: [text] },
    ];
    for (const input of inputs) {
      const reply = await infer(server, { inputs: [input], outputs });
      expect([reply.status, behind(reply).equals(expected)]).toEqual([200, true]);
    }
    const slashes = JSON.stringify({ inputs: [{ ...image, data: [text] }], outputs }).replaceAll("/", "\\/");
    expect(behind(await infer(server, slashes)).equals(expected)).toBe(true);
    for (const [shape, element, type] of [
      [[1, 1], JPEG, null],
      [[1], Buffer.from(text), "base64"],
    ] as const) {
      const binary = elements(element);
      const parameters = { binary_data_size: binary.length, content_type: type };
      const reply = await infer(server, { inputs: [{ ...image, shape, parameters }], outputs }, { binary });
      expect([reply.status, behind(reply).equals(expected)]).toEqual([200, true]);
    }
  });

  test.each<[string, unknown, RegExp]>([
    ["that is no base64", ["what is this?"], /base64/],
    ["that is empty", [""], /base64/],
    ["of another kind", [{ b65: text }], /base64/],
    ["that is a number", [1], /base64/],
    ["that is too many", [text, text], /2 elements, expected 1/],
    ["that is no list", "text", /0 elements/],
    ["that is missing", undefined, /0 elements/],
  ])("data %s is refused", async (_, data, sentence) => {
    const reply = await infer(await shared(), { inputs: [{ ...image, data }] });
    expect([reply.status, errorOf(reply).code]).toEqual([400, "BAD_TENSOR"]);
    expect(reply.json["error"]).toMatch(sentence);
  });

  test.each([[[1, 2]], [[1, 1, 1]], [[2, 1]], [["1"]], [[]]])("the shape %j is refused", async (shape) => {
    const reply = await infer(await shared(), { inputs: [{ ...image, shape, data: [text] }] });
    expect([reply.status, errorOf(reply).code]).toEqual([400, "BAD_TENSOR"]);
  });
});

describe("compressed", () => {
  const request = JSON.stringify({ inputs: [INPUT], outputs: BEST });
  const type = { "content-type": "application/json" };

  test.each([
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["deflate", deflateSync],
    ["identity", (bytes: Buffer) => bytes],
  ] as const)("bodies are taken: %s", async (encoding, compress) => {
    const server = await shared();
    const headers = { ...type, "content-encoding": encoding };
    const body = compress(Buffer.from(request));
    expect((await send(server, INFER, { body, headers })).status).toBe(200);
    const sent = { body: compress(JPEG), headers: { "content-encoding": encoding } };
    expect((await picture(server, sent)).json).toEqual((await picture(server)).json);
  });

  test("the JSON's length is that of what was compressed, in requests and in answers", async () => {
    const server = await shared();
    const json = Buffer.from(
      JSON.stringify({
        inputs: [{ ...INPUT, data: undefined, parameters: { binary_data_size: 602_112 } }],
        outputs: [{ name: "logits", parameters: { binary_data: true } }],
      }),
    );
    const whole = Buffer.concat([json, Buffer.from(tensor(7).buffer as ArrayBuffer)]);
    const headers = {
      "content-type": "application/octet-stream",
      "content-encoding": "gzip",
      "inference-header-content-length": String(json.length),
      "accept-encoding": "gzip",
    };
    const reply = await send(server, INFER, { body: gzipSync(whole), headers });
    expect([reply.status, reply.headers["content-encoding"]]).toEqual([200, "gzip"]);
    expect(Number(reply.headers["content-length"])).toBe(reply.body.length);
    const answer = gunzipSync(reply.body);
    const length = Number(reply.headers["inference-header-content-length"]);
    expect(JSON.parse(answer.subarray(0, length).toString())).toMatchObject({ model_name: "resnet101" });
    expect(answer.length - length).toBe(4_000);
  });

  test.each([
    ["br", 415],
    ["gzip, gzip", 415],
    ["gzip", 400],
    ["deflate", 400],
  ])("what is not what it says, or has no name here, is refused: %s", async (encoding, status) => {
    const headers = { "content-encoding": encoding };
    expect((await picture(await shared(), { headers })).status).toBe(status);
    const half = gzipSync(JPEG).subarray(0, 1_000);
    expect((await picture(await shared(), { body: half, headers })).status).toBe(status);
  });

  test("answers are for those who ask", async () => {
    const server = await shared();
    const answer = async (accept?: string) => {
      const reply = await send(server, "/metrics", {
        headers: accept === undefined ? {} : { "accept-encoding": accept },
      });
      return { encoding: reply.headers["content-encoding"], body: reply.body };
    };
    for (const accept of [undefined, "", "identity", "br", "gzip;q=0", "*;q=0"]) {
      expect([accept, (await answer(accept)).encoding]).toEqual([accept, undefined]);
    }
    const [gzip, deflate, any] = [
      await answer("deflate, gzip;q=1.0"),
      await answer("gzip;q=0.5, deflate"),
      await answer("*"),
    ];
    expect([gzip.encoding, deflate.encoding, any.encoding]).toEqual(["gzip", "deflate", "gzip"]);
    expect(gunzipSync(gzip.body).toString()).toContain("# HELP isotorch");
    expect(inflateSync(deflate.body).toString()).toContain("# HELP isotorch");
    const small = await send(server, "/v2/health/live", { headers: { "accept-encoding": "gzip" } });
    expect([small.headers["content-encoding"], small.json]).toEqual([undefined, { live: true }]);
  });
});

describe("a form, as curl -F sends it,", () => {
  const form = (parts: readonly string[] | undefined, boundary = "--------------x"): Buffer => {
    const around = (head: string, content: Buffer): Buffer[] => [
      Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`),
      content,
      Buffer.from("\r\n"),
    ];
    const heads = parts ?? [
      'Content-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg',
    ];
    return Buffer.concat([
      ...heads.flatMap((head) => around(head, JPEG)),
      Buffer.from(`--${boundary}--\r\n`),
    ]);
  };
  const type = (value: string) => ({ headers: { "content-type": value } });
  const named = type("multipart/form-data; boundary=------------x");

  test("is the picture in it", async () => {
    const server = await shared();
    const plain = await picture(server);
    const body = form(undefined, "------------x");
    for (const value of [
      "multipart/form-data; boundary=------------x",
      'Multipart/Form-Data; charset=utf-8; boundary="------------x"',
    ]) {
      const reply = await picture(server, { body, ...type(value) });
      expect([reply.status, reply.json]).toEqual([200, plain.json]);
    }
  });

  test("needs the header that no foreign page can send, also where no token is wanted", async () => {
    const server = await serve({ token: "off" });
    const body = form(undefined, "------------x");
    expect((await picture(server, { body, ...named, anonymous: true })).status).toBe(415);
    expect((await picture(server, { body, ...named })).status).toBe(200);
    expect((await send(server, INFER, { body, ...named })).status).toBe(415);
  });

  test.each<[string, Buffer, string]>([
    ["without a boundary", form(undefined, "x"), "multipart/form-data"],
    ["with another boundary", form(undefined, "y"), "multipart/form-data; boundary=x"],
    ["with two parts", form(["A: 1", "B: 2"], "x"), "multipart/form-data; boundary=x"],
    ["with none", form([], "x"), "multipart/form-data; boundary=x"],
    ["that is cut", form(undefined, "x").subarray(0, 2_000), "multipart/form-data; boundary=x"],
    ["without headers", Buffer.from("--x\r\nabc\r\n--x--\r\n"), "multipart/form-data; boundary=x"],
    ["with endless headers", form([`A: ${"a".repeat(9_000)}`], "x"), "multipart/form-data; boundary=x"],
  ])("%s is refused", async (_, body, value) => {
    const reply = await picture(await shared(), { body, ...type(value) });
    expect([reply.status, errorOf(reply).code]).toEqual([400, "BAD_REQUEST"]);
  });

  test("has the picture's limit for its picture", async () => {
    const server = await serve({ limits: { pictureBytes: JPEG.length } });
    const body = form(undefined, "------------x");
    expect((await picture(server, { body, ...named })).status).toBe(200);
    const less = await serve({ limits: { pictureBytes: JPEG.length - 1 } });
    expect((await picture(less, { body, ...named })).status).toBe(413);
  });
});

describe("Triton's extensions:", () => {
  test("the configuration has the inputs of which a request has one, without the batch", async () => {
    const server = await shared();
    for (const path of ["/v2/models/resnet101/config", "/v2/models/resnet101/versions/1/config"]) {
      expect((await send(server, path)).json).toMatchObject({
        name: "resnet101",
        max_batch_size: 32,
        input: [
          { name: "input", data_type: "TYPE_FP32", dims: [3, 224, 224], optional: false },
          { name: "pixels", data_type: "TYPE_UINT8", dims: [224, 224, 3], optional: true },
          { name: "image", data_type: "TYPE_STRING", dims: [1], optional: true },
        ],
        output: [
          { name: "logits", data_type: "TYPE_FP32", dims: [1_000] },
          { name: "probabilities", data_type: "TYPE_FP32", dims: [1_000] },
          { name: "indices", data_type: "TYPE_INT32", dims: [1_000] },
        ],
      });
    }
    for (const path of ["config", "stats"]) {
      expect((await send(server, `/v2/models/resnet18/${path}`)).status).toBe(404);
      expect((await send(server, `/v2/models/resnet101/${path}`, { anonymous: true })).status).toBe(401);
    }
  });

  test("the statistics are what was measured", async () => {
    const server = await serve();
    const read = async (path = "/v2/models/resnet101/stats") => {
      const { json } = await send(server, path, { headers: { authorization: `Bearer ${TOKEN}` } });
      const [model] = json["model_stats"] as [Record<string, unknown>];
      return model as { inference_count: number; last_inference: number; inference_stats: object };
    };
    expect(await read()).toMatchObject({ inference_count: 0, last_inference: 0 });
    const before = Date.now();
    await infer(server, { inputs: [INPUT], outputs: BEST });
    await picture(server);
    await infer(server, { inputs: [{ ...INPUT, data: [1] }] });
    await infer(server, "no JSON");
    const told = await read();
    const some = expect.any(Number);
    expect(told).toMatchObject({
      name: "resnet101",
      version: "1",
      inference_count: 2,
      inference_stats: {
        success: { count: 2, ns: some },
        fail: { count: 2, ns: some },
        compute_infer: { count: 2, ns: 4_000_000 }, // the fake's 2 ms for each
        queue: { count: 1 }, // the picture's way to its decoder; the fake tells of no other
        compute_output: { count: 0, ns: 0 },
        cache_hit: { count: 0, ns: 0 },
      },
      batch_stats: [],
    });
    expect(told.last_inference).toBeGreaterThanOrEqual(before);
    expect(await read("/v2/models/stats")).toEqual(told);
    expect(await read("/v2/models/resnet101/versions/1/stats")).toEqual(told);
  });
});
