/** HTTP itself: what is no request, several addresses, several requests on one connection, mistakes of the server. */
import { once } from "node:events";
import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createFakeClassifier } from "../../src/testing.ts";
import type { Server } from "../../src/server.ts";
import { JPEG, TOKEN, closing, errorOf, picture, send, serve, shared } from "./serve.ts";

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

async function connected({ port }: Server, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ host, port });
  socket.on("error", () => undefined);
  sockets.push(socket);
  await once(socket, "connect");
  return socket;
}

/** All that the server says until it ends the connection. */
async function said(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  await once(socket, "end");
  return text;
}

describe("what is no request", () => {
  const broken: readonly (readonly [string, number, string])[] = [
    ["a line of something else", 400, "hello\r\n\r\n"],
    ["a greeting of TLS", 400, "\u0016\u0003\u0001\u0002\u0000\u0001"],
    [
      "two lengths",
      400,
      "POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
    ["a length that is none", 400, "POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n"],
    ["an address of 20 kB", 431, `GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
    ["a header of 20 kB", 431, `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`],
  ];

  test.each(broken)(
    "%s, is %d with a document of ours, and the others are answered",
    async (_, status, text) => {
      const server = await shared();
      const socket = await connected(server);
      const reply = said(socket);
      socket.write(text, "latin1");
      const [head = "", body = ""] = (await reply).split("\r\n\r\n");
      expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(head).toContain("content-security-policy: default-src 'none'");
      expect(head).toContain("connection: close");
      expect(JSON.parse(body)).toMatchObject({ error: { code: "BAD_REQUEST", message: expect.any(String) } });
      expect((await send(server, "/v2/health/live")).status).toBe(200);
    },
  );

  test("the refusal of what is too long comes through while its client still sends", async () => {
    const server = await shared();
    const socket = await connected(server);
    const reply = said(socket);
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${"X-Header: 0123456789\r\n".repeat(50_000)}\r\n`);
    expect(await reply).toMatch(/^HTTP\/1\.1 431 /);
  });

  test("who does not come to an end with the headers hears 408", async () => {
    const server = await serve({ limits: { headersMs: 50 } });
    const socket = await connected(server);
    const reply = said(socket);
    socket.write("GET / HTTP/1.1\r\nHost:");
    expect(await reply).toMatch(/^HTTP\/1\.1 408 [^]*came too slowly/);
  });

  test("nothing is written into an answer that has begun", async () => {
    const server = await serve({ token: "off" });
    const socket = await connected(server);
    const end = said(socket);
    socket.write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`);
    await once(socket, "data");
    socket.write("nonsense\r\n\r\n");
    await Promise.race([end, once(socket, "close")]);
    expect(await Promise.race([end, Promise.resolve("")])).not.toContain("400");
  });
});

test("several requests on one connection are answered in their order, refusals among them", async () => {
  const server = await shared();
  const socket = await connected(server);
  const reply = said(socket);
  const head = (line: string, more = ""): string =>
    `${line} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nAuthorization: Bearer ${TOKEN}\r\n${more}\r\n`;
  socket.write(head("GET /v2/health/live"));
  socket.write(head("POST /nowhere", "Content-Type: text/plain\r\nContent-Length: 5\r\n"));
  socket.write("12345");
  socket.write(head("POST /classify", `Content-Type: image/jpeg\r\nContent-Length: ${JPEG.length}\r\n`));
  socket.write(JPEG);
  socket.write(head("HEAD /v2"));
  socket.write(head("GET /v2", "Connection: close\r\n"));
  const statuses = (await reply).match(/HTTP\/1\.1 \d{3}/g)?.map((line) => Number(line.slice(-3)));
  expect(statuses).toEqual([200, 404, 200, 404, 200]);
});

test("`localhost` is every address that it stands for here", async () => {
  const server = await serve({ host: "localhost" });
  const addresses = await lookup("localhost", { all: true });
  for (const { address } of addresses) {
    const socket = await connected(server, address);
    const reply = said(socket);
    socket.write(
      `GET /v2/health/live HTTP/1.1\r\nHost: localhost:${server.port}\r\nConnection: close\r\n\r\n`,
    );
    expect([address, (await reply).slice(0, 12)]).toEqual([address, "HTTP/1.1 200"]);
  }
});

test("a mistake of the server is 500, tells nothing of the inside, and is in the log", async () => {
  const classifier = closing(await createFakeClassifier(() => [{ index: 0, score: 1 }]));
  const broken = new Proxy(classifier, {
    get(target, name) {
      if (name === "stats") throw new TypeError("sesame");
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const lines: string[] = [];
  const logTo = { write: (line: string): void => void lines.push(line) };
  const server = await serve({ classifier: broken, logLevel: "error", logTo });
  const reply = await send(server, "/status");
  expect([reply.status, errorOf(reply).code, reply.body.includes("sesame")]).toEqual([
    500,
    "INTERNAL",
    false,
  ]);
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { level: 50, reqId: reply.headers["x-request-id"], err: { type: "TypeError", message: "sesame" } },
  ]);
  expect((await picture(server)).status).toBe(200);
});

test("a parameter that is given twice is refused, a name of an object's own is one like others", async () => {
  const server = await shared();
  for (const query of ["?topK=1&topK=2", "?__proto__=1", "?constructor=1", "?toString"]) {
    const reply = await picture(server, { query });
    expect([query, reply.status, errorOf(reply).code]).toEqual([query, 400, "INVALID_OPTION"]);
  }
});
