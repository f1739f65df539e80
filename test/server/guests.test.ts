/** Clients that take much and give nothing: uploads given up, readers that do not read, connections that say nothing. */
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Admission } from "../../src/server/request/admission.ts";
import { EventReader } from "../../src/server/routes/events.ts";
import type { Server } from "../../src/server.ts";
import { JPEG, TOKEN, closing, errorOf, fake, gated, picture, send, serve } from "./serve.ts";

const MISBEHAVES = new URL("../fixtures/decoders/misbehaves.mjs", import.meta.url);
const full: unknown = expect.objectContaining({ code: "QUEUE_FULL" });
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  vi.useRealTimers();
});

/** A connection of its own, which has begun. */
async function connected({ port }: Server): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => undefined);
  sockets.push(socket);
  await once(socket, "connect");
  return socket;
}

function request({ port }: Server, line: string, headers: readonly string[] = []): string {
  const all = [`Host: 127.0.0.1:${port}`, `Authorization: Bearer ${TOKEN}`, ...headers];
  return `${line} HTTP/1.1\r\n${all.join("\r\n")}\r\n\r\n`;
}

describe("room for bodies", () => {
  test("is kept until all that uses it has ended, in whatever order", async () => {
    const admission = new Admission({ maxRequests: 8, maxBytes: 100 });
    const [client, work] = [new AbortController(), new AbortController()];
    const ended = (of: AbortController): Promise<void> =>
      new Promise((_, reject) => of.signal.addEventListener("abort", () => reject(new Error("ended"))));
    const room = admission.enter(60, ended(client));
    room.until(ended(work));
    client.abort();
    await setImmediate();
    expect([admission.requests, admission.bytes]).toEqual([1, 60]);
    expect(() => admission.enter(60, Promise.resolve())).toThrow(full);
    work.abort();
    await setImmediate();
    expect([admission.requests, admission.bytes]).toEqual([0, 0]);
  });

  test("grows with what had no length, up to the limit of all together", () => {
    const admission = new Admission({ maxRequests: 8, maxBytes: 100 });
    const open = new Promise(() => undefined);
    const first = admission.enter(0, open);
    first.grow(500); // alone it may
    expect(() => admission.enter(1, open)).toThrow(full);
    expect([admission.requests, admission.bytes]).toEqual([1, 500]);
    const other = new Admission({ maxRequests: 8, maxBytes: 100 });
    const [third, fourth] = [other.enter(10, open), other.enter(10, open)];
    third.grow(80);
    expect(() => fourth.grow(1)).toThrow(full);
    expect(other.bytes).toBe(100);
  });

  test("is not free before the decoder has given the picture up", async () => {
    const server = await serve({
      limits: { maxBytes: JPEG.length + 10 },
      decoder: { script: MISBEHAVES, processes: 1, timeoutMs: 60_000 },
    });
    const stuck = Buffer.concat([Buffer.from("wait "), JPEG.subarray(5)]);
    const leave = new AbortController();
    const upload = picture(server, { body: stuck, signal: leave.signal }).catch(() => undefined);
    const gauge = async (name: string): Promise<string | undefined> =>
      (await send(server, "/metrics")).body.toString().match(new RegExp(`^${name} (\\d+)$`, "m"))?.[1];
    await expect.poll(() => gauge("isotorch_decoder_busy")).toBe("1");
    leave.abort();
    await upload;
    // Its client has gone, its bytes have not.
    const refused = await picture(server, { body: stuck });
    expect([refused.status, errorOf(refused).code]).toEqual([503, "QUEUE_FULL"]);
    await expect.poll(() => gauge("isotorch_http_requests_in_flight")).toBe("0");
    const late = await picture(server, {
      body: Buffer.from("wait"),
      headers: { "x-request-timeout-ms": "100" },
    });
    expect(late.status).toBe(504);
  });
});

describe("connections that say nothing", () => {
  test("make room: the one that was silent longest goes, and probes and pictures are answered", async () => {
    const server = await serve({ limits: { maxConnections: 8 } });
    const silent: Socket[] = [];
    for (let at = 0; at < 8; at += 1) silent.push(await connected(server));
    const gone = once(silent[0]!, "close");
    expect((await send(server, "/v2/health/live", { anonymous: true })).status).toBe(200);
    await gone;
    expect((await picture(server)).status).toBe(200);
    const last = silent.at(-1)!;
    last.write(request(server, "GET /v2/health/live"));
    expect(String((await once(last, "data"))[0])).toMatch(/^HTTP\/1\.1 200/);
  });

  test("never take the place of one that is being answered", async () => {
    const { classifier, letGo } = await gated();
    const server = await serve({ classifier, limits: { maxConnections: 3 } });
    const answer = picture(server);
    await expect.poll(() => classifier.stats().submitted).toBe(1);
    for (let at = 0; at < 20; at += 1) await connected(server);
    letGo();
    expect((await answer).status).toBe(200);
  });

  test("and those that do not finish their headers are cut", async () => {
    const server = await serve({ limits: { headersMs: 50 } });
    const [silent, slow] = [await connected(server), await connected(server)];
    slow.write(`POST /classify HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n`);
    for (const socket of [silent, slow]) {
      socket.resume();
      await once(socket, "close");
    }
  });

  test("nor those that do not finish their body", async () => {
    const server = await serve({ limits: { headersMs: 50, requestMs: 100 } });
    const slow = await connected(server);
    slow.write(request(server, "POST /classify", ["Content-Type: image/jpeg", "Content-Length: 1000"]));
    slow.resume();
    await once(slow, "close");
  });
});

describe("readers that read nothing", () => {
  test("of an answer are cut, and their room is free again", async () => {
    const server = await serve({ limits: { answerMs: 100, maxRequests: 1 } });
    const reader = await connected(server);
    reader.pause();
    const large = "/classify?topK=0&include=tensor,logits,probabilities";
    const head = request(server, `POST ${large}`, [
      "Content-Type: image/jpeg",
      `Content-Length: ${JPEG.length}`,
    ]);
    // So many answers that the system's own buffers cannot hold them.
    for (let at = 0; at < 12; at += 1) reader.write(Buffer.concat([Buffer.from(head), JPEG]));
    const metric = async (): Promise<string> => (await send(server, "/metrics")).body.toString();
    await expect.poll(metric).toMatch(/route="\/classify",method="POST",status="499"\} [1-9]/);
    await expect.poll(async () => (await picture(server)).status).toBe(200);
  });

  test("of events cost one look at the status for a burst of changes, however many they are", async () => {
    const real = closing(await fake());
    const hear = new Set<() => void>();
    let looks = 0;
    const classifier = new Proxy(real, {
      get(target, name) {
        if (name === "health") looks += 1;
        if (name === "on") {
          return (_: string, listener: () => void) => {
            hear.add(listener);
            return () => hear.delete(listener);
          };
        }
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const server = await serve({ classifier });
    for (let at = 0; at < 8; at += 1) {
      const reader = await connected(server);
      reader.write(request(server, "GET /events"));
      await once(reader, "data");
      reader.pause();
    }
    looks = 0;
    for (let at = 0; at < 10_000; at += 1) for (const listener of hear) listener();
    await expect.poll(() => looks).toBeGreaterThan(0);
    expect([hear.size, looks < 100]).toEqual([1, true]);
  });

  test("of events are told the latest alone, once they read", async () => {
    const taken: string[] = [];
    let release = (): void => undefined;
    const stream = new Writable({
      highWaterMark: 1,
      decodeStrings: false,
      write(chunk: string, _, done) {
        taken.push(chunk);
        release = done;
      },
    });
    const cut = vi.fn();
    const reader = new EventReader(stream, 60_000, cut);
    for (let at = 0; at < 10_000; at += 1) reader.tell(`event ${at}`);
    expect(stream.writableLength).toBeLessThan(100);
    const drained = once(stream, "drain");
    release();
    await drained;
    expect(taken).toEqual(["event 0", "event 9999"]);
    expect(cut).not.toHaveBeenCalled();
    reader.stop();
  });

  test("of events hear nothing more once their patience is over", () => {
    vi.useFakeTimers();
    const stream = new Writable({ highWaterMark: 1, write: () => undefined });
    const cut = vi.fn();
    const reader = new EventReader(stream, 1_000, cut);
    reader.tell("first");
    vi.advanceTimersByTime(500);
    reader.tell("second");
    vi.advanceTimersByTime(499);
    expect(cut).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(cut).toHaveBeenCalledOnce();
  });
});
