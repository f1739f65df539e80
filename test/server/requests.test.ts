/** Deadlines, clients that leave, limits, ids and traces, the log. */
import { describe, expect, test } from "vitest";
import type { ClassifyOptions } from "../../src/index.ts";
import { failureOf } from "../failure.ts";
import { answerOf, closing, errorOf, fake, gated, picture, send, serve, shared } from "./serve.ts";
import { createFakeClassifier } from "../../src/testing.ts";

const INFER = "/v2/models/resnet101/infer";

function tensorRequest(parameters: object = {}): { body: string; headers: Record<string, string> } {
  const data = Array.from({ length: 150_528 }, () => 0);
  const input = { name: "input", shape: [1, 3, 224, 224], datatype: "FP32", data };
  return {
    body: JSON.stringify({ inputs: [input], parameters }),
    headers: { "content-type": "application/json" },
  };
}

/** A classifier that keeps the options of its last call. */
async function spied(latencyMs = 0) {
  const seen: ClassifyOptions[] = [];
  const classifier = await createFakeClassifier(
    (image, options) => {
      seen.push(options);
      return answerOf(image);
    },
    { latencyMs },
  );
  return { seen, classifier: closing(classifier) };
}

describe("a deadline", () => {
  test("that the client names reaches the classifier, less what was spent before", async () => {
    const { seen, classifier } = await spied();
    const server = await serve({ classifier });
    await picture(server, { headers: { "x-request-timeout-ms": "20000" } });
    await send(server, INFER, tensorRequest({ timeout: 15_000_000 }));
    await picture(server);
    const [byHeader = 0, byParameter = 0, byDefault = 0] = seen.map(({ timeoutMs }) => timeoutMs);
    expect([byHeader > 10_000 && byHeader < 20_000, byParameter > 5_000 && byParameter <= 15_000]).toEqual([
      true,
      true,
    ]);
    expect([byDefault > 20_000 && byDefault < 30_000]).toEqual([true]);
  });

  test("that is over is 504, by whatever stage", async () => {
    const server = await serve({ classifier: closing(await fake({ latencyMs: 3_000 })) });
    await picture(server, { headers: { "x-request-timeout-ms": "1500" } }).then((reply) =>
      expect([reply.status, errorOf(reply).code]).toEqual([504, "DEADLINE_EXCEEDED"]),
    );
    const atOnce = await picture(server, { headers: { "x-request-timeout-ms": "1" } });
    expect(atOnce.status).toBe(504);
  });

  test.each(["0", "soon", "-5", "1e3", "999999999"])("of %s is refused", async (value) => {
    const reply = await picture(await shared(), { headers: { "x-request-timeout-ms": value } });
    expect([reply.status, errorOf(reply).message]).toEqual([
      400,
      expect.stringContaining("X-Request-Timeout-Ms"),
    ]);
  });
});

test("a client that goes away aborts its call", async () => {
  let hear: (reason: unknown) => void = () => undefined;
  const aborted = new Promise<unknown>((resolve) => (hear = resolve));
  const classifier = closing(
    await createFakeClassifier((_, { signal }) => {
      signal?.addEventListener("abort", () => hear(signal.reason), { once: true });
      return new Promise(() => undefined);
    }),
  );
  const lines: string[] = [];
  const server = await serve({
    classifier,
    logLevel: "info",
    logTo: { write: (line) => void lines.push(line) },
  });
  const leave = new AbortController();
  const reply = picture(server, { signal: leave.signal }).catch(() => undefined);
  await expect.poll(() => classifier.stats().submitted).toBe(1);
  leave.abort();
  await reply;
  expect(await aborted).toMatchObject({ code: "ABORTED" });
  const { body } = await send(server, "/metrics");
  expect(body.toString()).toContain(
    'isotorch_http_requests_total{route="/classify",method="POST",status="499"} 1',
  );
  expect(body.toString()).toContain('isotorch_pictures_total{outcome="ABORTED"} 1');
});

test("more than the server takes at a time is 503 with Retry-After, at once, and the others are answered", async () => {
  const { classifier, letGo } = await gated();
  const server = await serve({ classifier, limits: { maxRequests: 2 } });
  const first = [picture(server), picture(server)];
  await expect.poll(() => classifier.stats().submitted).toBe(2);
  const third = await picture(server);
  expect(classifier.stats().succeeded, "none of the others was waited for").toBe(0);
  expect([third.status, third.headers["retry-after"], errorOf(third).code]).toEqual([503, "1", "QUEUE_FULL"]);
  letGo();
  expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
  expect((await picture(server)).status).toBe(200);
});

test("bodies are limited together, by what they declare", async () => {
  const { classifier, letGo } = await gated();
  const server = await serve({ classifier, limits: { maxBytes: 200_000 } });
  const first = picture(server);
  await expect.poll(() => classifier.stats().submitted).toBe(1);
  expect((await send(server, INFER, tensorRequest())).status).toBe(503);
  letGo();
  expect((await first).status).toBe(200);
  expect((await send(server, INFER, tensorRequest())).status, "alone it may be larger").toBe(200);
});

describe("ids and traces:", () => {
  test("a request id is echoed where it is plain, and made where it is not", async () => {
    const server = await serve();
    const id = async (given: string) =>
      (await send(server, "/v2", { headers: { "x-request-id": given } })).headers["x-request-id"];
    expect(await id("order-66:a.b_c")).toBe("order-66:a.b_c");
    expect(await id("<script>")).toMatch(/^[\da-f-]{36}$/);
    expect(await id("x".repeat(129))).toMatch(/^[\da-f-]{36}$/);
  });

  test("a trace is continued: same trace, same flags, a part of its own", async () => {
    const server = await serve();
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const given = `00-${traceId}-00f067aa0ba902b7-01`;
    const { headers } = await send(server, "/v2", { headers: { traceparent: given } });
    expect(headers["traceparent"]).toMatch(new RegExp(`^00-${traceId}-[\\da-f]{16}-01$`));
    expect(headers["traceparent"]).not.toBe(given);
  });

  test.each([
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    "nonsense",
  ])("%s begins a new trace", async (given) => {
    const { headers } = await send(await shared(), "/v2", { headers: { traceparent: given } });
    expect(headers["traceparent"]).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-00$/);
    expect(headers["traceparent"]).not.toContain("4bf92f3577b34da6a3ce929d0e0e4736");
  });

  test("the log has one line of JSON for a request, with both", async () => {
    const lines: string[] = [];
    const server = await serve({ logLevel: "info", logTo: { write: (line) => void lines.push(line) } });
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const headers = { "x-request-id": "one", traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    await picture(server, { headers, body: "no picture" });
    await expect.poll(() => lines.length).toBe(2);
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({
      reqId: "one",
      traceId,
      parentId: "00f067aa0ba902b7",
      method: "POST",
      path: "/classify",
      status: 415,
      code: "UNSUPPORTED_FORMAT",
      ms: expect.any(Number),
    });
  });
});

test("events tell the status at once, and when it changes", async () => {
  const { classifier, letGo } = await gated();
  const server = await serve({ classifier, token: "off" });
  const response = await fetch(`${server.url}/events`);
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const next = async () =>
    JSON.parse(((await reader.read()).value ?? "").replace("data: ", "").trim().split("\n")[0]!) as {
      worker: { phase: string };
    };
  expect((await next()).worker.phase).toBe("ready");
  const answer = picture(server);
  expect((await next()).worker.phase).toBe("busy");
  letGo();
  await answer;
  await reader.cancel();
  const { json } = await send(server, "/status");
  expect(JSON.stringify(json)).not.toMatch(/\/(usr|home|root|tmp)\//);
  expect(json).toMatchObject({
    ready: true,
    network: { trained: false, model: "fake", crop: 224 },
    compare: false,
  });
});

describe("closing", () => {
  test("turns ready to 503 at once, answers what it took, takes nothing new, and ends", async () => {
    const { classifier, letGo } = await gated();
    const server = await serve({ classifier });
    const taken = picture(server);
    await expect.poll(() => classifier.stats().submitted).toBe(1);
    const closed = server.close();
    const ready = await send(server, "/v2/health/ready");
    expect([ready.status, ready.json]).toEqual([503, { live: true, ready: false }]);
    expect((await send(server, "/v2/health/live")).status).toBe(200);
    const late = await picture(server);
    expect([late.status, errorOf(late).code]).toEqual([503, "CLOSED"]);
    letGo();
    expect((await taken).status).toBe(200);
    await closed;
    await expect(send(server, "/v2/health/live")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("does not wait longer than it is told, nor for pages that watch", async () => {
    const classifier = closing(await fake({ latencyMs: 60_000 }));
    const server = await serve({ classifier, token: "off" });
    const events = await fetch(`${server.url}/events`);
    const taken = picture(server).catch((error: unknown) => error);
    await expect.poll(() => classifier.stats().submitted).toBe(1);
    const started = performance.now();
    await server.close({ drainMs: 200 });
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(await taken).toMatchObject({ code: "ECONNRESET" });
    await events.body?.cancel().catch(() => undefined);
    await classifier.close({ drainMs: 0 });
  });
});

test.each([
  [{ prot: 1 }, /no option "prot"/],
  [{ port: 70_000 }, /"port" is 70000/],
  [{ timeoutMs: 0 }, /"timeoutMs" is 0/],
  [{ limits: { maxRequests: 0 } }, /"maxRequests" is 0/],
  [{ logLevel: "loud" }, /"logLevel" is "loud"/],
] as [object, RegExp][])("the option %j is refused", async (options, sentence) => {
  const failure = await failureOf(serve(options));
  expect([failure.code, failure.message]).toEqual(["INVALID_OPTION", expect.stringMatching(sentence)]);
});

test("an address that cannot be read is 400 with an error of ours", async () => {
  const reply = await send(await shared(), "/%zz");
  expect([reply.status, errorOf(reply).code]).toEqual([400, "BAD_REQUEST"]);
  expect(reply.headers["x-content-type-options"]).toBe("nosniff");
});

test("a port that is taken is an error of the start, and leaves nothing behind", async () => {
  const { port } = await serve();
  await expect(serve({ port })).rejects.toMatchObject({ code: "EADDRINUSE" });
});
