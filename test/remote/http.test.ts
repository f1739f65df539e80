import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ConnectionFailure } from "../../src/remote/connection-failure.ts";
import { Connections } from "../../src/remote/http.ts";
import type { Reply } from "../../src/remote/http.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0).toReversed()) close();
});

/** A server that does this at each request, told which one it is on its connection, from 1. */
async function serving(
  answer: (socket: Socket, count: number) => void,
): Promise<{ url: string; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    let count = 0;
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => chunk.toString("latin1").endsWith("\r\n\r\n") && answer(socket, ++count));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets };
}

function connected(url: string, most = 1): (signal?: AbortSignal) => Promise<Reply> {
  const connections = new Connections(url, most, "secret");
  opened.push(() => connections.close());
  return (signal = new AbortController().signal) => connections.send({ method: "GET", path: "/v2", signal });
}

async function failure(reply: Promise<unknown>): Promise<ConnectionFailure> {
  const error: unknown = await reply.then(() => undefined).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConnectionFailure);
  return error as ConnectionFailure;
}

test.each([
  ["closed", (socket: Socket) => void socket.end()],
  ["reset", (socket: Socket) => void socket.resetAndDestroy()],
])("a connection that was used before, %s under a request, says nothing of the server", async (_, cut) => {
  const { url } = await serving((socket, count) => (count === 1 ? socket.write(OK) : cut(socket)));
  const send = connected(url);
  expect((await send()).body.toString()).toBe("ok");
  expect(await failure(send())).toMatchObject({ isStale: true, isRefused: false });
});

test.each([
  ["closed", (socket: Socket) => void socket.end()],
  ["reset", (socket: Socket) => void socket.resetAndDestroy()],
])("a fresh connection that is %s does, also behind one that was used", async (_, cut) => {
  let fresh = 0;
  const { url } = await serving((socket, count) => {
    if (count > 1 || fresh > 0) cut(socket);
    else socket.write(OK);
  });
  const send = connected(url);
  await send();
  fresh = 1;
  expect((await failure(send())).isStale).toBe(true);
  expect((await failure(send())).isStale).toBe(false);
});

test("nobody who listens is told apart", async () => {
  const { url } = await serving((socket) => socket.write(OK));
  for (const close of opened.splice(0)) close();
  expect(await failure(connected(url)())).toMatchObject({ isStale: false, isRefused: true });
});

test.each([
  ["cut off by its length", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"],
  ["cut off between chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n"],
])("an answer that is %s is none", async (_, text) => {
  const { url } = await serving((socket) => socket.end(text));
  expect(await failure(connected(url)())).toMatchObject({ isStale: false });
});

test("an answer that never ends has an end", async () => {
  const { url } = await serving((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const more = (): void => void (socket.destroyed || socket.write(Buffer.alloc(1 << 20), more));
    more();
  });
  expect((await failure(connected(url)())).message).toBe("the answer has more than 8388608 bytes");
});

test("an abort gives the signal's reason, before the answer and within it", async () => {
  let begin = "";
  const { url } = await serving((socket) => socket.write(begin));
  const send = connected(url);
  for (begin of ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"]) {
    const controller = new AbortController();
    const reply = send(controller.signal).catch((thrown: unknown) => thrown);
    setTimeout(() => controller.abort("enough"), 100);
    expect(await reply).toBe("enough");
  }
  await expect(send(AbortSignal.abort("before"))).rejects.toBe("before");
});

test("redirections are not followed, and no more connections are opened than allowed", async () => {
  const { url, sockets } = await serving((socket) =>
    setTimeout(() => socket.write("HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n"), 20),
  );
  const send = connected(url, 3);
  const replies = await Promise.all(Array.from({ length: 12 }, () => send()));
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([302]));
  expect(replies[0]?.headers["location"]).toBe("/other");
  expect(sockets.size).toBe(3);
});

test("a path of the server's address stands before every other", async () => {
  const seen: string[] = [];
  const { url, sockets } = await serving((socket) => socket.write(OK));
  const send = connected(`${url}/below`);
  const reply = send();
  await expect.poll(() => sockets.size).toBe(1);
  for (const socket of sockets) socket.on("data", (chunk) => seen.push(chunk.toString("latin1")));
  await reply;
  await send();
  expect(seen.at(-1)).toMatch(/^GET \/below\/v2 HTTP\/1\.1\r\n/);
  expect(seen.at(-1)).toContain("authorization: Bearer secret");
});
