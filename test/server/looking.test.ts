/** `POST /v1/tokenize` and `POST /v1/inspect`, and the status of a server with texts. */
import { expect, test } from "vitest";
import { createServer } from "../../src/server.ts";
import type { Server } from "../../src/server.ts";
import { createFakeGenerator } from "../../src/testing.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import { TOKEN, closing, errorOf, fake, send } from "./serve.ts";

async function texts(): Promise<Server> {
  const generator = closing(await createFakeGenerator(() => " was found"));
  return closing(await createServer({ generator: { tiny: generator }, token: TOKEN, port: 0 }));
}

const post = (server: Server, path: string, body: object | string) =>
  send(server, path, {
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

test("a text's tokens, and the bytes where one ends inside a character", async () => {
  const { json } = await post(await texts(), "/v1/tokenize", { text: "The 文" });
  expect(json).toEqual({
    object: "tokens",
    model: "tiny",
    tokens: [
      { id: 464, text: "The", readable: "The", start: 0 },
      { id: 10545, text: " ", readable: " <E6>", start: 3 },
      { id: 244, text: "", readable: "<96>", start: 4 },
      { id: 229, text: "文", readable: "<87>", start: 4 },
    ],
  });
});

test("the merges of its words, one by one, end in its tokens", async () => {
  const server = await texts();
  const { json } = await post(server, "/v1/tokenize", { text: "lower widest", steps: true });
  interface Shown {
    readonly id: number;
    readonly readable: string;
  }
  const pieces = json["pieces"] as {
    readonly text: string;
    readonly start: readonly Shown[];
    readonly merges: readonly (Shown & { readonly rank: number; readonly pair: readonly [Shown, Shown] })[];
  }[];
  expect(pieces.map(({ text }) => text)).toEqual(["lower", " widest"]);
  expect(pieces[0]?.start.map(({ readable }) => readable)).toEqual(["l", "o", "w", "e", "r"]);
  const ends = pieces.flatMap(({ start, merges }) => {
    const ids = start.map(({ id }) => id);
    for (const { pair, id } of merges) {
      const at = ids.findIndex((one, place) => one === pair[0].id && ids[place + 1] === pair[1].id);
      ids.splice(at, 2, id);
    }
    return ids;
  });
  expect(ends).toEqual(Tokenizer.gpt2().encode("lower widest"));
  expect(pieces[0]?.merges.at(-1)).toMatchObject({ readable: "lower", pair: [{}, { readable: "ower" }] });
});

test("the attention of a text: a share for each token and those before it", async () => {
  const server = await texts();
  const { json } = await post(server, "/v1/inspect", { prompt: "The dog was", model: "tiny" });
  const head = [[1], [0.5, 0.5], [1, 1, 1].map(() => Math.fround(1 / 3))];
  expect(json).toEqual({
    object: "inspection",
    model: "tiny",
    ids: [464, 3290, 373],
    tokens: ["The", " dog", " was"],
    layers: 2,
    heads: 2,
    attention: [
      [head, head],
      [head, head],
    ],
  });
  const one = await post(server, "/v1/inspect", { prompt: [464, 3290, 373], layer: 1 });
  expect(one.json).toMatchObject({ layer: 1, ids: [464, 3290, 373] });
  expect(one.json["attention"]).toEqual([[head, head]]);
});

test("what is refused has a status and a code", async () => {
  const server = await texts();
  const long = "word ".repeat(200);
  const refused: [what: string, path: string, body: object | string, status: number, code: string][] = [
    ["no JSON", "/v1/tokenize", "{", 400, "BAD_REQUEST"],
    ["no text", "/v1/tokenize", {}, 400, "INVALID_OPTION"],
    ["half a character", "/v1/tokenize", '{"text": "\\ud83d"}', 400, "INVALID_INPUT"],
    ["a field that there is not", "/v1/tokenize", { texts: "x" }, 400, "INVALID_OPTION"],
    ["another model", "/v1/tokenize", { text: "x", model: "y" }, 404, "NOT_FOUND"],
    ["steps that are none", "/v1/tokenize", { text: "x", steps: 3 }, 400, "INVALID_OPTION"],
    [
      "the merges of a book",
      "/v1/tokenize",
      { text: "x".repeat(1_025), steps: true },
      413,
      "INPUT_TOO_LARGE",
    ],
    ["a book", "/v1/tokenize", { text: "x".repeat(65_536) }, 413, "INPUT_TOO_LARGE"],
    ["no prompt", "/v1/inspect", {}, 400, "INVALID_OPTION"],
    ["an empty prompt", "/v1/inspect", { prompt: "" }, 400, "INVALID_INPUT"],
    ["ids that there are not", "/v1/inspect", { prompt: [99_999] }, 400, "INVALID_INPUT"],
    ["a layer that there is not", "/v1/inspect", { prompt: "x", layer: 2 }, 400, "INVALID_OPTION"],
    ["more than is looked at", "/v1/inspect", { prompt: long }, 413, "INPUT_TOO_LARGE"],
  ];
  for (const [what, path, body, status, code] of refused) {
    const answer = await post(server, path, body);
    expect([what, answer.status, errorOf(answer).code]).toEqual([what, status, code]);
  }
  for (const path of ["/v1/tokenize", "/v1/inspect"]) {
    expect((await send(server, path)).status).toBe(405);
    const stranger = await send(server, path, {
      anonymous: true,
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(stranger.status).toBe(401);
    const rebound = await send(server, path, { headers: { host: "evil.example" }, body: "{}" });
    expect(rebound.status).toBe(421);
  }
});

test("a large network's attention is answered layer by layer", async () => {
  const generator = closing(await createFakeGenerator(() => ""));
  const { layers, heads, ...info } = generator.info();
  Object.assign(generator, { info: () => ({ ...info, layers: 48 * layers, heads: 12 * heads }) });
  const server = closing(await createServer({ generator, token: TOKEN, port: 0 }));
  const prompt = "word ".repeat(20);
  const all = await post(server, "/v1/inspect", { prompt });
  expect([all.status, errorOf(all).code]).toEqual([413, "INPUT_TOO_LARGE"]);
  expect((await post(server, "/v1/inspect", { prompt, layer: 1 })).status).toBe(200);
});

test("the status tells of texts, beside pictures and alone", async () => {
  const alone = (await send(await texts(), "/status")).json;
  expect(alone).toMatchObject({
    models: [],
    texts: [
      {
        ready: true,
        model: "tiny",
        worker: { phase: "ready" },
        network: { model: "fake", layers: 2, heads: 2, context: 1_024, trained: false },
        inspect: { tokens: 128, shares: 262_144 },
      },
    ],
  });
  expect(alone).not.toHaveProperty("network");
  const classifier = closing(await fake());
  const generator = closing(await createFakeGenerator(() => ""));
  const both = closing(await createServer({ classifier, generator, token: TOKEN, port: 0 }));
  expect((await send(both, "/status")).json).toMatchObject({
    model: "resnet101",
    network: { resize: 256 },
    texts: [{ model: "fake" }],
  });
  expect((await send(await texts(), "/status?model=resnet101")).status).toBe(400);
});
