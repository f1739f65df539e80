/** A session over a process and a channel that are none: what it says, what it takes, and how it ends. */
import { expect, test, vi } from "vitest";
import { IsotorchError } from "../../src/base/errors.ts";
import type { Fields } from "../../src/protocol/wire.ts";
import { outgoing } from "../../src/worker/outgoing.ts";
import { Session } from "../../src/worker/session.ts";
import { asPictureNetwork } from "../../src/tasks/network.ts";
import { failureOf } from "../failure.ts";
import { CRASHED, FakeChannel, FakeProcess, part, READY, result, streamed, tokensOf } from "./fakes.ts";

const LOAD = { model: "resnet101" } as Fields<"load">;
const { hello, network, remarks: _, ...rest } = READY;
const { categories: __, models: ___, digests: ____, ...wire } = asPictureNetwork(network);
const FIELDS = { ...rest, network: wire };

function begin(load: Fields<"load"> | null = null) {
  const worker = new FakeProcess();
  const channel = new FakeChannel();
  const log: string[] = [];
  const progress: string[] = [];
  const started = Session.start(worker, channel, {
    load,
    timeouts: { helloMs: 10_000, readyMs: 10_000 },
    onProgress: (phase) => progress.push(phase),
    onLog: (level, message) => log.push(`${level}: ${message}`),
  });
  return { worker, channel, started, log, progress };
}

async function running() {
  const begun = begin();
  begun.channel.say({ type: "hello", id: 0, generation: 1, fields: hello, frames: [] });
  return { ...begun, session: await begun.started };
}

const request = outgoing("classify", streamed("text"), null, 0);

test("hello, load, progress, ready: the session is there, and says what the worker said", async () => {
  const { channel, started, progress } = begin(LOAD);
  channel.say({ type: "hello", id: 0, generation: 1, fields: hello, frames: [] });
  expect(channel.sent).toMatchObject([{ type: "load", id: 1, generation: 1, fields: LOAD }]);
  channel.say({
    type: "progress",
    id: 1,
    generation: 1,
    fields: { phase: "verify", fraction: null },
    frames: [],
  });
  const text = (name: string, json: string) =>
    ({ name, dtype: "|u1", shape: [json.length], data: Buffer.from(json) }) as const;
  const frames = [
    text("categories", '["a"]'),
    text("models", "[]"),
    text("attestation", "{}"),
    text("remarks", '["The head is fc.1."]'),
  ];
  channel.say({ type: "ready", id: 1, generation: 1, fields: FIELDS, frames });
  const session = await started;
  expect(session.ready).toMatchObject({
    ...FIELDS,
    hello,
    network: { ...wire, categories: ["a"] },
    remarks: ["The head is fc.1."],
  });
  expect(progress).toEqual(["verify"]);
});

test("a reply goes to whoever asked, whole or in parts, and one that nobody waits for is dropped", async () => {
  const { channel, session } = await running();
  const heard: unknown[] = [];
  const one = session.request(request, 2, (reply) => heard.push([2, ...tokensOf(reply)]));
  const other = session.request(request, 3, (reply) => heard.push([3, ...tokensOf(reply)]));
  channel.say({ ...part(0, 7), id: 2 });
  channel.say({ ...result(9), id: 3 });
  channel.say({ ...part(1, 8), id: 2 });
  channel.say({ ...result(7, 8), id: 2 });
  await Promise.all([one, other]);
  expect(heard).toEqual([
    [2, 7],
    [3, 9],
    [2, 8],
    [2, 7, 8],
  ]);
  channel.say({ ...part(2, 9), id: 2 });
  channel.say({ ...result(9), id: 2 });
  expect(session.dropped).toBe(2);
});

test("whoever refuses a part gets no more of it: the call fails with the reason, and the worker is told", async () => {
  const { channel, session } = await running();
  const refusal = new IsotorchError("WORKER_DIED", "another part");
  const asked = session.request(request, 2, () => {
    throw refusal;
  });
  channel.say({ ...part(0, 7), id: 2 });
  expect(await failureOf(asked)).toBe(refusal);
  expect(channel.sent.at(-1)).toMatchObject({ type: "cancel", id: 2 });
});

test("what cannot be read ends its call alone", async () => {
  const { channel, session } = await running();
  const one = session.request(request, 2, () => undefined);
  const other = session.request(request, 3, () => undefined);
  channel.sayUnreadable(2, new IsotorchError("PROTOCOL_ERROR", "a bad frame"));
  expect((await failureOf(one)).code).toBe("PROTOCOL_ERROR");
  channel.say({ ...result(1), id: 3 });
  await other;
});

test("Node stays alive, and the channel is read, exactly while something is awaited", async () => {
  const { channel, worker, session } = await running();
  expect([worker.isHeld, channel.holds]).toEqual([false, 0]);
  const asked = session.request(request, 2, () => undefined);
  expect([worker.isHeld, channel.holds]).toEqual([true, 1]);
  channel.say({ ...result(1), id: 2 });
  await asked;
  expect([worker.isHeld, channel.holds]).toEqual([false, 0]);
  session.ping();
  expect([worker.isHeld, channel.holds]).toEqual([false, 1]);
  channel.say({ type: "pong", id: 0, generation: 1, fields: { residentKiB: 3 }, frames: [] });
  expect([channel.holds, session.residentBytes]).toEqual([0, 3072]);
});

test("the end of the process is the end of every call, and of the channel", async () => {
  const { channel, worker, session } = await running();
  const asked = session.request(request, 2, () => undefined);
  worker.end(CRASHED);
  const error = await failureOf(asked);
  expect(error.code).toBe("WORKER_DIED");
  expect(error.stderr).toContain("Segmentation fault");
  await session.exited;
  expect(channel.isClosed).toBe(true);
  expect(await failureOf(session.request(request, 3, () => undefined))).toBe(error);
});

test("a worker that is gone before its load reaches it is told by its end", async () => {
  const { channel, worker, started } = begin(LOAD);
  channel.unsent = new Error("Host unreachable");
  channel.say({ type: "hello", id: 0, generation: 1, fields: hello, frames: [] });
  // The process has ended by itself already, and this is what it ended with.
  worker.end(CRASHED);
  const error = await failureOf(started);
  expect(error.message).toContain("while loading");
  expect(error.stderr).toContain("Segmentation fault");
});

test("a close lets what is open finish, asks the worker to stop, and takes nothing more", async () => {
  const { channel, worker, session } = await running();
  const asked = session.request(request, 2, () => undefined);
  const closed = session.close();
  expect((await failureOf(session.request(request, 3, () => undefined))).code).toBe("CLOSED");
  expect(channel.sent.map(({ type }) => type)).toEqual(["classify"]);
  channel.say({ ...result(1), id: 2 });
  await asked;
  await vi.waitFor(() => expect(channel.sent.at(-1)?.type).toBe("stop"));
  worker.end({ code: 0, signal: null, stderr: "" });
  await closed;
  expect(channel.isClosed).toBe(true);
});
