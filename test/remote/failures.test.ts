import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { setTimeout as delay } from "node:timers/promises";
import type { Server, ServerResponse } from "node:http";
import { codeOf, failureOf } from "../failure.ts";
import { answer, fakeServer, logitsOf, refuse, remote, tensor } from "./fake.ts";
import type { Seen } from "./fake.ts";

const PICTURE = fileURLToPath(new URL("../../examples/images/balloons.jpg", import.meta.url));

function bestOf(value: number): number {
  const logits = logitsOf(Math.fround(value));
  return logits.indexOf(Math.max(...logits));
}

/** Misbehaves at these requests; the first one is the look at creation. */
function at(counts: readonly number[], how: (response: ServerResponse, seen: Seen) => unknown) {
  return (seen: Seen, response: ServerResponse, count: number): boolean => {
    if (!counts.includes(count)) return false;
    how(response, seen);
    return true;
  };
}

/** A good answer, changed on its way. */
function changed(change: (body: Buffer) => Buffer): (response: ServerResponse, seen: Seen) => void {
  return (response, seen) => answer(seen, response, change);
}

describe("another try mends", () => {
  test.each<[string, (response: ServerResponse, seen: Seen) => unknown]>([
    ["a connection that is cut before the answer", (response) => response.destroy()],
    [
      "a connection that is cut within the answer",
      (response) => {
        response.writeHead(200, { "content-length": 1_000 });
        response.write("{");
        setTimeout(() => response.destroy(), 20);
      },
    ],
    ["429", (response) => refuse(response, 429, {}, { "retry-after": "0" })],
    [
      "500 of a proxy that lost its replica",
      (response) => response.writeHead(500).end("Internal Server Error"),
    ],
    ["502 of a proxy", (response) => response.writeHead(502).end("<html>")],
    ["503 with Retry-After", (response) => refuse(response, 503, {}, { "retry-after": "1" })],
    ["an answer that is cut short", changed((body) => body.subarray(0, body.length - 100))],
    ["an answer that is too long", changed((body) => Buffer.concat([body, Buffer.from("more")]))],
    ["an answer to another request", changed((body) => replaced(body, /"id":"....../, '"id":"other-'))],
    ["an answer of another shape", changed((body) => replaced(body, /\[1,1000\]/g, "[2,500]"))],
    ["an answer that is no JSON", (response) => response.writeHead(200).end("<html>hello</html>")],
  ])("%s", async (_, how) => {
    const server = await fakeServer({ instead: at([2], how) });
    const classifier = await remote(server);
    const [best] = await classifier.classify(tensor(5));
    expect(best?.index).toBe(bestOf(5));
    expect(server.seen).toHaveLength(2);
    expect(classifier.stats()).toMatchObject({ submitted: 1, succeeded: 1, redelivered: 1, batches: 2 });
  });

  test("a pause that the server asks for is kept", async () => {
    const instead = at([2], (response) => refuse(response, 503, {}, { "retry-after": "1" }));
    const classifier = await remote(await fakeServer({ instead }));
    const started = performance.now();
    await classifier.classify(tensor(1));
    expect(performance.now() - started).toBeGreaterThanOrEqual(950);
  });

  test("but not where the pause is longer than the caller's patience", async () => {
    const instead = at([2], (response) =>
      refuse(
        response,
        503,
        { error: "full. Later.", code: "QUEUE_FULL", hint: "Later." },
        { "retry-after": "60" },
      ),
    );
    const server = await fakeServer({ instead });
    const { code, message, hint, retryAfterMs } = await failureOf(
      (await remote(server)).classify(tensor(1), { timeoutMs: 5_000 }),
    );
    expect({ code, message, hint, retryAfterMs }).toEqual({
      code: "QUEUE_FULL",
      message: "full.",
      hint: "Later.",
      retryAfterMs: 60_000,
    });
    expect(server.seen).toHaveLength(1);
  });
});

describe("no other try is made", () => {
  test.each([
    [
      "a bad picture",
      422,
      { error: "Broken. Fetch it.", code: "DECODE_FAILED", hint: "Fetch it." },
      "DECODE_FAILED",
    ],
    ["poison", 422, { error: "Twice.", code: "POISON_INPUT", hint: "No." }, "POISON_INPUT"],
    ["a bad tensor", 400, { error: "NaN.", code: "BAD_TENSOR", hint: "No." }, "BAD_TENSOR"],
    [
      "a deadline that passed there",
      504,
      { error: "Late.", code: "DEADLINE_EXCEEDED", hint: "x" },
      "DEADLINE_EXCEEDED",
    ],
    ["a mistake of the server", 500, { error: "boom" }, "WORKER_ERROR"],
    ["a refusal of a foreign server", 400, { error: "unexpected shape" }, "REMOTE_REFUSED"],
    ["a redirection", 302, {}, "REMOTE_REFUSED"],
  ])("for %s", async (_, status, body, code) => {
    const server = await fakeServer({ instead: at([2, 3], (response) => refuse(response, status, body)) });
    const classifier = await remote(server);
    const error = await failureOf(classifier.classify(tensor(1), { requestId: "the-call" }));
    expect(error.code).toBe(code);
    expect(error.requestId).toBe("the-call");
    expect(error.message).toMatch(/[.!?]$/);
    expect(server.seen).toHaveLength(1);
  });

  test("beyond `retries`", async () => {
    const server = await fakeServer({
      instead: (_, response, count) => count > 1 && refuse(response, 503, {}),
    });
    const classifier = await remote(server, { retries: 2 });
    expect(await codeOf(classifier.classify(tensor(1)))).toBe("QUEUE_FULL");
    expect(server.seen).toHaveLength(3);
  });

  test("once the budget is spent: retries stay near a tenth of the calls", async () => {
    const server = await fakeServer({
      instead: (_, response, count) => count > 1 && refuse(response, 503, {}),
    });
    const classifier = await remote(server, { connections: 4, retries: 10 });
    const calls = 60;
    const images = Array.from({ length: calls }, (_, index) => tensor(index));
    const results = await classifier.classifySettled(images);
    expect(results.every(({ status }) => status === "rejected")).toBe(true);
    // Four from the start, and one for every ten calls.
    expect(server.seen.length - calls).toBeLessThanOrEqual(4 + calls / 10);
    expect(server.seen.length - calls).toBe(classifier.stats().redelivered);
  });
});

describe("limits of a call", () => {
  test("a server that never answers costs no more than the deadline", async () => {
    const classifier = await remote(await fakeServer({ instead: at([2], () => undefined) }));
    const started = performance.now();
    expect(await codeOf(classifier.classify(tensor(1), { timeoutMs: 300 }))).toBe("DEADLINE_EXCEEDED");
    // Without one it would wait for 30 s.
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  test("an abort ends the request at the server too", async () => {
    let gone = false;
    const instead = at([2], (response) => response.once("close", () => (gone = true)));
    const server = await fakeServer({ instead });
    const classifier = await remote(server);
    const leave = new AbortController();
    const call = classifier.classify(tensor(1), { signal: leave.signal });
    await expect.poll(() => server.seen.length).toBe(1);
    leave.abort();
    expect(await codeOf(call)).toBe("ABORTED");
    await expect.poll(() => gone).toBe(true);
    expect(classifier.health()).toMatchObject({ inFlight: 0, waiting: 0 });
    expect(await classifier.classify(tensor(1))).toHaveLength(5);
  });

  test("a call that waits for a connection can be aborted, and never reaches the server", async () => {
    const server = await fakeServer({ instead: at([2], () => undefined) });
    const classifier = await remote(server, { connections: 1 });
    const leave = new AbortController();
    const first = codeOf(classifier.classify(tensor(1), { signal: leave.signal }));
    await expect.poll(() => server.seen.length).toBe(1);
    const second = codeOf(classifier.classify(tensor(2), { timeoutMs: 200 }));
    expect(await second).toBe("DEADLINE_EXCEEDED");
    leave.abort();
    expect(await first).toBe("ABORTED");
    expect(server.seen).toHaveLength(1);
  });

  test("the queue has a limit", async () => {
    const server = await fakeServer({ instead: at([2, 3], () => undefined) });
    const classifier = await remote(server, { connections: 1 }, { queue: { maxRequests: 2 } });
    const leave = new AbortController();
    const { signal } = leave;
    const open = [1, 2].map((value) => codeOf(classifier.classify(tensor(value), { signal })));
    await expect.poll(() => classifier.health().waiting).toBe(1);
    expect(await codeOf(classifier.classify(tensor(3)))).toBe("QUEUE_FULL");
    leave.abort();
    expect(await Promise.all(open)).toEqual(["ABORTED", "ABORTED"]);
  });

  test("close() lets calls finish, refuses new ones, and then nothing is left", async () => {
    let letGo = (): void => undefined;
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    const instead = async (_: Seen, __: ServerResponse, count: number) => {
      if (count > 1) await gate;
      return false;
    };
    const classifier = await remote(await fakeServer({ instead }));
    const call = classifier.classify(tensor(1));
    await expect.poll(() => classifier.health().inFlight).toBe(1);
    const closed = classifier.close();
    expect(await codeOf(classifier.classify(tensor(2)))).toBe("CLOSED");
    letGo();
    expect(await call).toHaveLength(5);
    await closed;
    expect(classifier.health()).toMatchObject({ phase: "stopped", ready: false });
  });

  test("close() with no patience fails what is open", async () => {
    const classifier = await remote(await fakeServer({ instead: at([2], () => undefined) }));
    const call = codeOf(classifier.classify(tensor(1)));
    await expect.poll(() => classifier.health().inFlight).toBe(1);
    await classifier.close({ drainMs: 50 });
    expect(await call).toBe("CLOSED");
  });
});

describe("several servers", () => {
  test("share the calls", async () => {
    const servers = [await fakeServer(), await fakeServer()];
    const classifier = await remote(servers, { connections: 4 });
    await Promise.all(Array.from({ length: 40 }, (_, value) => classifier.classify(tensor(value))));
    for (const server of servers) expect(server.seen.length).toBeGreaterThan(5);
  });

  test("one that dies under load costs no call, and nothing goes there any more", async () => {
    const servers = [await fakeServer(), await fakeServer()];
    const [dying, living] = [servers[0]!, servers[1]!];
    const classifier = await remote(servers, { connections: 4, probeMs: 200 });
    const values = Array.from({ length: 120 }, (_, value) => value / 3);
    let stopped: PromiseLike<void> | undefined;
    const images = (function* () {
      for (const [index, value] of values.entries()) {
        if (index === 40) stopped = dying[Symbol.asyncDispose]();
        yield tensor(value);
      }
    })();
    const answers: (number | undefined)[] = [];
    for await (const result of classifier.classifyStream(images))
      answers.push(result.status === "fulfilled" ? result.value.top[0]?.index : undefined);
    await stopped;
    expect(answers).toEqual(values.map(bestOf));
    await expect.poll(() => classifier.health().workers.map(({ ready }) => ready)).toEqual([false, true]);
    expect(classifier.health()).toMatchObject({ phase: "ready", ready: true });
    expect(living.seen.length).toBeGreaterThan(60);
  });

  test("one that is gone costs no call, also where the retries are used up", async () => {
    const failing = await fakeServer({ instead: at([2, 3], (response) => response.writeHead(502).end()) });
    const living = await fakeServer();
    // There are two retries, one for each connection, and a call earns a tenth of one.
    const classifier = await remote([failing, living], { connections: 1 });
    for (let value = 0; failing.seen.length < 3; value++) await classifier.classify(tensor(value));
    await failing[Symbol.asyncDispose]();
    for (let value = 0; value < 4; value++) {
      const [best] = await classifier.classify(tensor(value));
      expect(best?.index).toBe(bestOf(value));
    }
    expect(classifier.stats().failed).toBe(0);
    expect(classifier.stats().redelivered).toBeGreaterThan(2);
  });

  test("one of which a look finds that nobody listens costs its open calls no retry", async () => {
    const failing = await fakeServer({
      instead: (_seen, response, count) => {
        if (count === 2 || count === 3) response.writeHead(502).end();
        // It listens no more, and the connection of the call stays open and silent.
        else if (count === 4) (response.socket as unknown as { server: Server }).server.close();
        return count > 1;
      },
    });
    const living = await fakeServer();
    // The first two use up the retries.
    const classifier = await remote([failing, living], { connections: 1, probeMs: 200 });
    for (let value = 0; failing.seen.length < 3; value++) {
      const [best] = await classifier.classify(tensor(value));
      expect(best?.index).toBe(bestOf(value));
    }
    expect(classifier.stats()).toMatchObject({ failed: 0, redelivered: 3 });
  });

  test("one that was not there at the start is taken once it comes", async () => {
    const place = await fakeServer();
    const { port } = place;
    await place[Symbol.asyncDispose]();
    const here = await fakeServer();
    const classifier = await remote([here, place], { connections: 2 });
    expect(classifier.health().workers.map(({ ready }) => ready)).toEqual([true, false]);
    const late = await fakeServer({ port });
    await expect.poll(() => classifier.health().workers[1]?.ready).toBe(true);
    await Promise.all(Array.from({ length: 12 }, (_, value) => classifier.classify(tensor(value))));
    expect(late.seen.length).toBeGreaterThan(0);
  });

  test("one that says nothing any more is found out, and its calls go to the other", async () => {
    const silent = await fakeServer({ instead: at([2], () => undefined) });
    const other = await fakeServer();
    const classifier = await remote([silent, other], { connections: 1, probeMs: 200 });
    // The first call goes to the first server, and hangs there.
    const call = classifier.classify(tensor(7));
    await expect.poll(() => silent.seen.length).toBe(1);
    silent.ready = "silent";
    const [best] = await call;
    expect(best?.index).toBe(bestOf(7));
  });
});

test("calls wait for a server that comes back, and no longer than it makes sense", async () => {
  const first = await fakeServer();
  const { port } = first;
  const classifier = await remote(first, { probeMs: 200, patienceMs: 5_000 });
  const phases: string[] = [];
  classifier.on("state", (phase) => phases.push(phase));
  await first[Symbol.asyncDispose]();
  await expect.poll(() => classifier.health().ready).toBe(false);
  const call = classifier.classify(tensor(3));
  await delay(300);
  const again = await fakeServer({ port });
  expect((await call)[0]?.index).toBe(bestOf(3));
  await again[Symbol.asyncDispose]();
  await expect.poll(() => classifier.health().phase).toBe("open");
  const { code, retryAfterMs } = await failureOf(classifier.classify(tensor(4)));
  expect(code).toBe("CIRCUIT_OPEN");
  expect(retryAfterMs).toBeGreaterThan(0);
  expect(phases).toEqual(expect.arrayContaining(["backing-off", "ready", "open"]));
});

/** The same number of bytes, with some of the JSON replaced. */
function replaced(body: Buffer, what: RegExp, by: string): Buffer {
  return Buffer.from(body.toString("latin1").replace(what, by), "latin1");
}

test("a script ends by itself after its last answer, and leaves no connection", async () => {
  const server = await fakeServer();
  const script = `
    import { classify } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
    const top = await classify(process.argv[1], { remote: process.argv[2], topK: 1 });
    console.log(top.length);
  `;
  const argv = ["--input-type=module", "-e", script, PICTURE, server.url];
  const { stdout } = await promisify(execFile)(process.execPath, argv);
  expect(stdout).toBe("1\n");
});
