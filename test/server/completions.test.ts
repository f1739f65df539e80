/** `POST /v1/completions`, by OpenAI's own client and by hand, over a generator whose texts are made up. */
import OpenAI, { APIUserAbortError } from "openai";
import { expect, test, vi } from "vitest";
import { createServer } from "../../src/server.ts";
import type { Server } from "../../src/server.ts";
import { createFakeGenerator } from "../../src/testing.ts";
import type { FakeGeneratorOptions, FakeText } from "../../src/testing.ts";
import { JPEG, TOKEN, closing, errorOf, fake, send } from "./serve.ts";

const TEXT = " was found in a field";

async function texts(answer: FakeText = () => TEXT, options: FakeGeneratorOptions = {}) {
  const generator = closing(await createFakeGenerator(answer, options));
  const server = closing(await createServer({ generator: { tiny: generator }, token: TOKEN, port: 0 }));
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: TOKEN, maxRetries: 0 });
  return { generator, server, client };
}

const post = (server: Server, body: object | string) =>
  send(server, "/v1/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

test("OpenAI's client gets a text with its usage and log probabilities", async () => {
  const { client } = await texts();
  const { data } = await client.models.list();
  expect(data).toMatchObject([{ id: "tiny", object: "model", owned_by: "isotorch" }]);
  const answer = await client.completions.create({
    model: "tiny",
    prompt: "The dog",
    max_tokens: 3,
    temperature: 0,
    logprobs: 1,
    seed: 7,
  });
  expect(answer).toMatchObject({
    object: "text_completion",
    model: "tiny",
    choices: [{ text: " was found in", index: 0, finish_reason: "length", seed: 7 }],
    usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 },
  });
  expect(answer.choices[0]?.logprobs).toEqual({
    tokens: [" was", " found", " in"],
    token_logprobs: [0, 0, 0],
    top_logprobs: [{ " was": 0 }, { " found": 0 }, { " in": 0 }],
    text_offset: [0, 4, 10],
    token_ids: [373, 1043, 287],
    readable: [" was", " found", " in"],
  });
});

test("and a stream, which it can stop, and whose end says how many tokens there were", async () => {
  const { client } = await texts();
  const stream = await client.completions.create({
    model: "tiny",
    prompt: "The dog",
    stream: true,
    stop: [" in"],
    stream_options: { include_usage: true },
  });
  const found: [text: string | undefined, reason: string | null | undefined][] = [];
  let usage: object | null | undefined;
  for await (const chunk of stream) {
    const [choice] = chunk.choices;
    if (choice !== undefined) found.push([choice.text, choice.finish_reason]);
    usage = chunk.usage ?? usage;
  }
  expect(found.map(([text]) => text).join("")).toBe(" was found");
  expect(found.at(-1)).toEqual(["", "stop"]);
  expect(usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 3 });
});

test("several prompts have a choice each, ids are prompts too", async () => {
  const { client } = await texts((prompt) => ` after ${prompt}`);
  const { choices, usage } = await client.completions.create({ model: "tiny", prompt: ["one", "two"] });
  expect(choices.map(({ text, index }) => [index, text])).toEqual([
    [0, " after one"],
    [1, " after two"],
  ]);
  expect(usage?.completion_tokens).toBe(4);
  const ids = await client.completions.create({ model: "tiny", prompt: [464, 3290] });
  expect(ids.choices[0]?.text).toBe(" after The dog");
  const stream = await client.completions.create({ model: "tiny", prompt: ["one", "two"], stream: true });
  const together = ["", ""];
  for await (const { choices: chunks } of stream)
    for (const { index, text } of chunks) together[index] += text;
  expect(together).toEqual([" after one", " after two"]);
});

test("a client that goes away frees the worker", async () => {
  const { client, generator } = await texts(() => TEXT.repeat(50), { latencyMs: 5 });
  const stream = await client.completions.create({
    model: "tiny",
    prompt: "The dog",
    max_tokens: 200,
    stream: true,
  });
  let chunks = 0;
  for await (const _ of stream) if (++chunks === 2) break;
  await vi.waitFor(() => expect(generator.stats()).toMatchObject({ submitted: 1, failed: 1 }), {
    timeout: 20_000,
  });
  const ender = new AbortController();
  const whole = client.completions.create(
    { model: "tiny", prompt: "The dog", max_tokens: 200 },
    { signal: ender.signal },
  );
  await vi.waitFor(() => expect(generator.stats().submitted).toBe(2), { timeout: 20_000 });
  ender.abort();
  await expect(whole).rejects.toBeInstanceOf(APIUserAbortError);
  await vi.waitFor(() => expect(generator.stats().failed).toBe(2), { timeout: 20_000 });
});

test("what is refused has a status and a code, for the client as well", async () => {
  const { client, server } = await texts();
  const failure = await client.completions
    .create({ model: "tiny", prompt: "x".repeat(9) + " word".repeat(1_100) })
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ status: 400, code: "CONTEXT_LENGTH" });
  const stranger = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "wrong", maxRetries: 0 });
  await expect(stranger.models.list()).rejects.toMatchObject({ status: 401 });
  const refused: [what: string, body: object | string, status: number, code: string][] = [
    ["no JSON", "{", 400, "BAD_REQUEST"],
    ["a list", "[]", 400, "BAD_REQUEST"],
    ["no prompt", {}, 400, "INVALID_OPTION"],
    ["an empty prompt", { prompt: "" }, 400, "INVALID_INPUT"],
    ["another model", { prompt: "x", model: "gpt-9" }, 404, "NOT_FOUND"],
    ["what is not offered", { prompt: "x", n: 2 }, 400, "INVALID_OPTION"],
    ["a field that there is not", { prompt: "x", max_token: 2 }, 400, "INVALID_OPTION"],
    ["a temperature that is none", { prompt: "x", temperature: -1 }, 400, "INVALID_OPTION"],
    ["too many log probabilities", { prompt: "x", logprobs: 6 }, 400, "INVALID_OPTION"],
    ["the same, streamed", { prompt: "x", topP: 0, stream: true }, 400, "INVALID_OPTION"],
  ];
  for (const [what, body, status, code] of refused) {
    const answer = await post(server, body);
    expect([what, answer.status, errorOf(answer).code]).toEqual([what, status, code]);
  }
  expect((await send(server, "/v1/completions")).status).toBe(405);
});

test("a failure in the middle of a stream is told in it", async () => {
  const { client } = await texts(() => TEXT, { latencyMs: 30 });
  const stream = await client.completions.create(
    { model: "tiny", prompt: "The dog", stream: true },
    { headers: { "x-request-timeout-ms": "60000" } },
  );
  expect((await stream[Symbol.asyncIterator]().next()).done).toBe(false);
  const { generator, server } = await texts(() => TEXT, { latencyMs: 50 });
  const answered = post(server, { prompt: "The dog", stream: true });
  await vi.waitFor(() => expect(generator.health().inFlight).toBe(1), { timeout: 20_000 });
  await new Promise((resolve) => setTimeout(resolve, 120));
  await generator.close({ drainMs: 0 });
  const { body } = await answered;
  expect(body.toString()).toContain('"code":"CLOSED"');
  expect(body.toString()).not.toContain("[DONE]");
});

test("a server has texts, pictures, or both; metrics count tokens", async () => {
  const { server, client } = await texts();
  const picture = { method: "POST", headers: { "content-type": "image/jpeg" }, body: JPEG };
  expect(errorOf(await send(server, "/classify", picture)).code).toBe("NOT_FOUND");
  await client.completions.create({ model: "tiny", prompt: "The dog" });
  const metrics = (await send(server, "/metrics")).body.toString();
  expect(metrics).toContain('isotorch_tokens_total{model="tiny"} 5');
  expect(metrics).toContain('isotorch_first_token_seconds_count{model="tiny"} 1');
  expect((await send(server, "/v2/health/ready")).status).toBe(200);
  const both = closing(
    await createServer({
      classifier: closing(await fake()),
      generator: closing(await createFakeGenerator(() => TEXT)),
      token: TOKEN,
      port: 0,
    }),
  );
  expect((await post(both, { prompt: "x" })).status).toBe(200);
  expect((await send(both, "/v2/models")).json).toEqual({ models: ["resnet101"] });
});
