import { expect, test } from "vitest";
import { ERROR_CODES, IsotorchError } from "../../src/index.ts";
import type { IsotorchErrorCode } from "../../src/index.ts";
import { STATUS } from "../../src/server/problem.ts";
import { preprocess } from "../../src/classification/oneshot.ts";
import { JPEG, answerOf, closing, errorOf, fake, picture, send, serve, shared } from "./serve.ts";

test("a picture as the body gets the command line's object", async () => {
  const server = await shared();
  const { status, json } = await picture(server, { query: "?topK=3" });
  expect(status).toBe(200);
  expect(Object.keys(json)).toEqual(["top"]);
  const expected = await closing(await fake()).classify(await preprocess(JPEG), { topK: 3 });
  expect(json["top"]).toEqual(expected);
});

test("octet-stream is taken too: the first bytes tell what it is", async () => {
  const reply = await picture(await shared(), { headers: { "content-type": "application/octet-stream" } });
  expect(reply.status).toBe(200);
});

test("include adds logits, probabilities, the tensor, the crop and timings", async () => {
  const query = "?include=logits,probabilities,tensor,crop,timings&topK=0";
  const { json } = await picture(await shared(), { query });
  const tensor = await preprocess(JPEG);
  expect(json["top"]).toHaveLength(1_000);
  expect(json["tensor"]).toEqual({ shape: [1, 3, 224, 224], data: [...tensor.data] });
  const { logits } = answerOf(tensor) as { logits: Float32Array };
  expect(json["logits"]).toEqual([...logits]);
  expect(json["probabilities"]).toHaveLength(1_000);
  expect(json["crop"]).toMatchObject({
    width: 224,
    height: 224,
    png: expect.stringMatching(/^data:image\/png;base64,iVBOR/),
  });
  const timings = json["timings"] as Record<string, number>;
  expect(Object.keys(timings)).toEqual(
    expect.arrayContaining(["receive", "handover", "decode", "preprocess", "worker"]),
  );
  expect(Object.values(timings).every((ms) => ms >= 0)).toBe(true);
});

test.each([
  ["?topk=3", "INVALID_OPTION", 400],
  ["?topK=-1", "INVALID_OPTION", 400],
  ["?topK=1001", "INVALID_OPTION", 400],
  ["?topK=3&topK=4", "INVALID_OPTION", 400],
  ["?include=pixels", "INVALID_OPTION", 400],
  ["?exif=rotate", "INVALID_OPTION", 400],
])("the query %s is refused with a sentence", async (query, code, status) => {
  const reply = await picture(await shared(), { query });
  expect([reply.status, errorOf(reply).code]).toEqual([status, code]);
  expect(errorOf(reply)).toMatchObject({
    message: expect.stringMatching(/^[A-Za-z].*\.$/),
    hint: expect.any(String),
  });
});

test("what is no picture is refused as on the command line", async () => {
  const server = await shared();
  const text = await picture(server, { body: "hello, this is text" });
  expect([text.status, errorOf(text).code]).toEqual([415, "UNSUPPORTED_FORMAT"]);
  const nothing = await picture(server, { body: "" });
  expect([nothing.status, errorOf(nothing).code]).toEqual([400, "BAD_REQUEST"]);
  expect((await send(server, "/classify")).status).toBe(405);
});

test("strict mode, EXIF and ICC reach the decoder", async () => {
  const server = await shared();
  const grey = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==",
    "base64",
  );
  expect((await picture(server, { body: grey })).status).toBe(200);
  const strict = await picture(server, { body: grey, query: "?mode=strict" });
  expect([strict.status, errorOf(strict).code]).toEqual([422, "UNSUPPORTED_MODE"]);
  expect((await picture(server, { query: "?exif=apply&icc=to-srgb" })).status).toBe(200);
});

test("every code of an IsotorchError has one status, and clients hear code, sentence and hint", async () => {
  let code: IsotorchErrorCode = "CLOSED";
  const failWith = () =>
    new IsotorchError(code, "It failed.", { hint: "Do this.", cause: new Error("inside") });
  const server = await serve({ classifier: closing(await fake({ failWith })) });
  for (code of ERROR_CODES) {
    const reply = await picture(server);
    expect([code, reply.status]).toEqual([code, STATUS[code]]);
    expect(reply.json).toEqual({ error: { code, message: "It failed.", hint: "Do this." } });
    expect([code, reply.headers["retry-after"] !== undefined]).toEqual([code, reply.status === 503]);
  }
});
