/** JSON that cannot be a request ends before anything is built of it; what can be one is read bit for bit. */
import { describe, expect, test } from "vitest";
import { parseJson } from "../../src/server/oip/json.ts";
import { failureOf } from "../failure.ts";
import { INFER, infer } from "./infer.ts";
import { answerOf, errorOf, send, serve, shared } from "./serve.ts";

const MIB = 1024 * 1024;
const MOST = 100_000;
const HEAD = '{"inputs":[{"name":"input","datatype":"FP32","shape":[1,3,224,224],"data":[';

/** The numbers that come of a data list's text. */
async function numbersIn(list: string, length: number): Promise<Float32Array> {
  const { request, dataOf } = await parseJson(Buffer.from(`{"inputs":[{"data":${list}}]}`), MOST);
  const { inputs } = request as { inputs: [{ data: unknown }] };
  const data = dataOf(inputs[0].data);
  expect(data.count).toBe(length);
  const into = new Float32Array(length);
  await data.numbers(into, Number.isFinite);
  return into;
}

describe("a body of 16 MiB is refused for what it has too much of:", () => {
  const repeated = (unit: string): string => unit.repeat((16 * MIB) / unit.length);
  test.each<[string, string, RegExp]>([
    ["objects", `${HEAD}${repeated("{},")}{}]}]}`, /more than 256 objects/],
    ["lists", `${HEAD}${repeated("[],")}[]]}]}`, /more than 32768 lists/],
    ["texts", `${HEAD}${repeated('"",')}""]}]}`, /more than 4096 texts/],
    ["numbers", `${HEAD}${repeated("0,")}0]}]}`, /more than \d+ values/],
    ["digits", `${HEAD}${repeated("1")}]}]}`, /more than 64 characters/],
    ["depth", `{"inputs":${"[".repeat(8 * MIB)}${"]".repeat(8 * MIB)}}`, /more than 16 levels/],
    ["escapes", `${HEAD}"${repeated("\\n")}"]}]}`, /more than 524288 escapes/],
    ["escaped quotes", `${HEAD}"${repeated('\\"')}"]}]}`, /more than 524288 escapes/],
    ["a name", `{"${repeated("x")}":1}`, /65536 bytes beside/],
    ["an id", `{"id":"${repeated("x")}"}`, /65536 bytes beside/],
    ["blanks", `${HEAD}${repeated(" ")}1]}]}`, /1 values|blanks/],
    ["no end", `${HEAD}"${repeated("x")}`, /not JSON/],
    ["two inputs with data", `${HEAD}1]},{"data":[${repeated("0.123456789012,")}1]}]}`, /65536 bytes beside/],
  ])("%s", async (_, body, sentence) => {
    const server = await shared();
    const reply = await infer(server, body);
    expect(reply.json["error"]).toMatch(sentence);
    expect([reply.status, errorOf(reply).code]).toEqual([
      400,
      expect.stringMatching(/^(?:INVALID_INPUT|BAD_TENSOR)$/),
    ]);
  });
});

test("nesting of 100,000 is the client's mistake, wherever it stands", async () => {
  const server = await shared();
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const objects = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
  for (const body of [
    deep,
    objects,
    `{"id":${deep}}`,
    `{"inputs":[{"name":"input","datatype":"FP32","shape":${deep},"data":[]}]}`,
    `{"inputs":[{"name":"input","datatype":${deep},"shape":[1,3,224,224],"data":[]}]}`,
    `{"parameters":${objects}}`,
  ]) {
    const reply = await infer(server, body);
    expect([reply.status, errorOf(reply).code]).toEqual([400, "INVALID_INPUT"]);
  }
});

test("JSON has a limit of its own, declared or not, whatever is behind it", async () => {
  const server = await serve({ limits: { jsonBytes: 1_000 } });
  const long = JSON.stringify({ id: "x".repeat(1_000) });
  const type = { "content-type": "application/json" };
  const replies = [
    await infer(server, long),
    await send(server, INFER, { body: long, headers: { ...type, "transfer-encoding": "chunked" } }),
    await infer(server, long, { binary: Buffer.alloc(4) }),
  ];
  for (const reply of replies) {
    expect([reply.status, errorOf(reply).code]).toEqual([413, "INPUT_TOO_LARGE"]);
    expect(reply.json["error"]).toMatch(/1000 bytes.*binary/);
  }
});

test("a full batch in JSON is answered, every picture in its place", async () => {
  const server = await shared();
  const values = Array.from({ length: 32 * 150_528 }, (_, at) => (at % 150_528 === 0 ? at / 150_528 : 0.5));
  const input = `{"name":"input","datatype":"FP32","shape":[32,3,224,224],"data":[${values.join()}]}`;
  const reply = await infer(server, `{"inputs":[${input}],"outputs":[{"name":"logits"}]}`);
  expect(reply.status).toBe(200);
  const [{ data }] = reply.json["outputs"] as [{ data: number[] }];
  for (const at of [0, 7, 31]) {
    const { logits } = answerOf({ data: Float32Array.of(at), shape: [] }) as { logits: Float32Array };
    expect(data.slice(at * 1_000, at * 1_000 + 3)).toEqual([...logits.subarray(0, 3)]);
  }
});

describe("numbers", () => {
  test("of every spelling have the bits that JSON.parse gives them", async () => {
    const texts = [
      "0",
      "-0",
      "1e2",
      "1E-2",
      "-2.1179039001464844",
      "0.1",
      "3.4028234e38",
      "1e-46",
      "123456789",
    ];
    const expected = Float32Array.from(JSON.parse(`[${texts.join()}]`) as number[]);
    for (const list of [`[${texts.join()}]`, `[ [${texts.join(" ,\r\n\t")} ] ]`]) {
      expect(await numbersIn(list, texts.length)).toEqual(expected);
    }
  });

  test("of many pieces stay in their order", async () => {
    const values = Float32Array.from({ length: 90_000 }, (_, at) => Math.fround(at / 7));
    const rows = Array.from({ length: 300 }, (_, row) => [...values.subarray(row * 300, row * 300 + 300)]);
    expect(await numbersIn(JSON.stringify([...values]), 90_000)).toEqual(values);
    expect(await numbersIn(JSON.stringify(rows, null, 2), 90_000)).toEqual(values);
  });

  test.each([
    "[1 2]",
    "[1,,2]",
    "[,1]",
    "[1,]",
    "[1 [,2]]",
    "[[1][2]]",
    "[1]2",
    "[1,2",
    "[1}]",
    "[1:2]",
    "[01]",
    "[+1]",
    "[.5]",
    "[1.]",
    "[0x10]",
    "[NaN]",
    "[Infinity]",
    "[null]",
    "[true]",
    "[1,'2']",
    "[\u00a01]",
    `[${"9".repeat(65)}]`,
    "[],[]",
    "[1]]",
  ])("%s is no list of numbers", async (list) => {
    const { code } = await failureOf(numbersIn(list, list.split(/[,:]/).length));
    expect(code).toMatch(/^(?:INVALID_INPUT|BAD_TENSOR)$/);
  });

  test("are taken for what they are beside texts and escapes", async () => {
    const body = String.raw`{"id":"\"data\":[1,2]\\","inputs":[{"name":"a\"b","data":[[1],[2]]}],"outputs":[]}`;
    const { request, dataOf } = await parseJson(Buffer.from(`\u{feff}${body}`), MOST);
    const { id, inputs } = request as { id: string; inputs: [{ name: string; data: unknown }] };
    expect([id, inputs[0].name, dataOf(inputs[0].data).count]).toEqual(['"data":[1,2]\\', 'a"b', 2]);
  });
});

test("texts that are no UTF-8 are refused", async () => {
  const reply = await send(await shared(), INFER, {
    body: Buffer.concat([Buffer.from('{"id":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
    headers: { "content-type": "application/json" },
  });
  expect([reply.status, errorOf(reply).code]).toEqual([400, "INVALID_INPUT"]);
});
