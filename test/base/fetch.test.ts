import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, realpath, rm } from "node:fs/promises";
import { createServer, request as httpRequest, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { download } from "../../src/checkpoints/download.ts";
import { proxyFor, USER_AGENT } from "../../src/base/fetch.ts";
import { loadImage } from "../../src/image/source/source.ts";
import { Connections } from "../../src/remote/http.ts";

const BYTES = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 31) & 255));
const SHA256 = createHash("sha256").update(BYTES).digest("hex");

let root: string;
let target: string;
const open: (() => void)[] = [];

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "isotorch-proxy-")));
  target = join(root, "net.pth");
  for (const name of ["http", "https", "all", "no"]) {
    vi.stubEnv(`${name}_proxy`, undefined);
    vi.stubEnv(`${name.toUpperCase()}_PROXY`, undefined);
  }
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of open.splice(0)) close();
  await rm(root, { recursive: true, force: true });
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  open.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

interface Proxy {
  readonly url: string;
  /** What it was asked: `GET http://…` or `CONNECT host:port`, and the credentials. */
  readonly asked: string[];
}

/** A proxy as people have them: absolute addresses for http, tunnels for https; `refuse` answers every request with it. */
async function proxy(refuse?: number): Promise<Proxy> {
  const asked: string[] = [];
  const note = (line: string, credentials: string | undefined): void =>
    void asked.push(credentials ? `${line} ${credentials}` : line);
  const server = createServer((request, response) => {
    note(`${request.method} ${request.url}`, request.headers["proxy-authorization"]);
    if (refuse) return void response.writeHead(refuse).end();
    const { "proxy-authorization": _, ...headers } = request.headers;
    const onward = httpRequest(request.url ?? "", { method: request.method ?? "GET", headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.writeHead(502).end());
    onward.end();
  });
  server.on("connect", (request, socket: Socket) => {
    note(`CONNECT ${request.url}`, request.headers["proxy-authorization"]);
    if (refuse) return void socket.end(`HTTP/1.1 ${refuse} No\r\n\r\n`);
    const [host = "", port] = (request.url ?? "").split(":");
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    open.push(() => onward.destroy());
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  return { url: `http://127.0.0.1:${await listening(server)}`, asked };
}

async function origin(): Promise<string> {
  return `http://127.0.0.1:${await listening(createServer((_request, response) => response.end(BYTES)))}/net.pth`;
}

function fetchIt(url: string): Promise<void> {
  return download({ name: "NET", url, target, sha256: SHA256, timing: { retryMs: 5, stallMs: 2_000 } });
}

describe("a download that a proxy stands in the way of says so", () => {
  test("a proxy that is not there is named, without its password", async () => {
    vi.stubEnv("HTTP_PROXY", "http://me:hidden@127.0.0.1:1");
    const failure = await fetchIt(await origin()).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    expect(String(failure)).toContain("by way of the proxy http://127.0.0.1:1");
    expect(String(failure)).not.toContain("hidden");
  });

  test("a proxy that wants a password, for http and for https", async () => {
    const { url } = await proxy(407);
    vi.stubEnv("HTTP_PROXY", url);
    vi.stubEnv("HTTPS_PROXY", url);
    await expect(fetchIt(await origin())).rejects.toMatchObject({ message: expect.stringContaining("407") });
    await expect(fetchIt("https://127.0.0.1:8443/net.pth")).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("407"),
    });
  });

  test("a proxy of a kind that is not spoken", async () => {
    vi.stubEnv("ALL_PROXY", "socks5://me:hid/d@en@127.0.0.1:1080");
    await expect(fetchIt("http://127.0.0.1:8080/net.pth")).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: "The proxy for http://127.0.0.1:8080/net.pth is no http address: socks5://127.0.0.1:1080.",
    });
    expect(await readdir(root)).toEqual([]);
  });
});

describe("a download goes by way of the proxy", () => {
  test.each(["HTTP_PROXY", "http_proxy", "ALL_PROXY"])(
    "that %s names, with its password",
    async (variable) => {
      const { url, asked } = await proxy();
      const from = await origin();
      vi.stubEnv(variable, url.replace("//", "//me:s%20cret@"));
      await fetchIt(from);
      expect((await readFile(target)).equals(BYTES)).toBe(true);
      expect(asked).toEqual([`GET ${from} Basic ${Buffer.from("me:s cret").toString("base64")}`]);
    },
  );

  test("unless NO_PROXY excepts the address", async () => {
    const { url, asked } = await proxy();
    vi.stubEnv("HTTP_PROXY", url);
    vi.stubEnv("NO_PROXY", "example.org,127.0.0.1");
    await fetchIt(await origin());
    expect(asked).toEqual([]);
  });

  test.skipIf(!hasOpenssl())("through a tunnel for https, which it cannot look into", async () => {
    const [key, cert] = await certificate(root);
    const secure = createSecureServer({ key, cert }, (_request, response) => response.end(BYTES));
    const port = await listening(secure);
    const { url, asked } = await proxy();
    vi.stubEnv("HTTPS_PROXY", url);
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    await fetchIt(`https://127.0.0.1:${port}/net.pth`);
    expect((await readFile(target)).equals(BYTES)).toBe(true);
    expect(asked).toEqual([`CONNECT 127.0.0.1:${port}`]);
  });
});

describe("a picture with an address", () => {
  test("comes by way of the proxy, each hop of a redirection by its own", async () => {
    const { url, asked } = await proxy();
    const there = await origin();
    const redirecting = createServer((_request, response) =>
      response.writeHead(302, { location: there }).end(),
    );
    const from = `http://localhost:${await listening(redirecting)}/moved`;
    vi.stubEnv("HTTP_PROXY", url);
    expect(await loadImage(from)).toEqual({ kind: "encoded", bytes: new Uint8Array(BYTES) });
    expect(asked).toEqual([`GET ${from}`, `GET ${there}`]);
    vi.stubEnv("NO_PROXY", "127.0.0.1");
    await loadImage(from);
    expect(asked.slice(2)).toEqual([`GET ${from}`]);
  });

  test("that a proxy stands in the way of is INPUT_UNREADABLE, without what is secret", async () => {
    vi.stubEnv("HTTP_PROXY", "http://me:hidden@127.0.0.1:1");
    const failure = await loadImage(`${await origin()}?key=hidden`).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: "INPUT_UNREADABLE",
      message: expect.stringMatching(/ECONNREFUSED.*by way of the proxy http:\/\/127\.0\.0\.1:1/),
    });
    expect(String(failure)).not.toContain("hidden");
    vi.stubEnv("HTTP_PROXY", "socks5://me:hidden@127.0.0.1:1");
    const refused = await loadImage(`${await origin()}?key=hidden`).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "INPUT_UNREADABLE",
      message: expect.stringContaining("socks5://127.0.0.1:1"),
    });
    expect(String(refused)).not.toContain("hidden");
  });

  test("and a data: URL asks nobody", async () => {
    vi.stubEnv("ALL_PROXY", "http://127.0.0.1:1");
    expect(await loadImage("data:,picture")).toMatchObject({ bytes: new Uint8Array(Buffer.from("picture")) });
  });
});

test("whoever is asked hears who asks: for pictures, for weights, of a remote server", async () => {
  const heard: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    heard.push(request.headers["user-agent"]);
    response.end(BYTES);
  });
  const url = `http://127.0.0.1:${await listening(server)}`;
  await loadImage(`${url}/dog.jpg`);
  await fetchIt(`${url}/net.pth`);
  const connections = new Connections(url, 1, undefined);
  await connections.send({ method: "GET", path: "/v2", signal: new AbortController().signal });
  connections.close();
  vi.stubEnv("HTTP_PROXY", (await proxy()).url);
  await loadImage(`${url}/dog.jpg`);
  expect(new Set(heard)).toEqual(new Set([USER_AGENT]));
  expect(heard).toHaveLength(4);
  expect(USER_AGENT).toMatch(/^isotorch\/\d+\.\d+\.\d+\S* \(Node\.js \d+\.\d+\.\d+; \w+\)$/);
});

test("without a variable there is no proxy, whatever else is set", async () => {
  expect(await proxyFor("https://download.pytorch.org/x")).toBeUndefined();
  vi.stubEnv("HTTP_PROXY", "http://127.0.0.1:3128");
  expect(await proxyFor("https://download.pytorch.org/x")).toBeUndefined();
  expect((await proxyFor("http://mirror.example/x"))?.port).toBe("3128");
  vi.stubEnv("HTTPS_PROXY", "127.0.0.1:3129");
  expect((await proxyFor("https://download.pytorch.org/x"))?.port).toBe("3129");
});

function hasOpenssl(): boolean {
  return ["/usr/bin/openssl", "/usr/local/bin/openssl"].some((file) => existsSync(file));
}

async function certificate(folder: string): Promise<[key: Buffer, cert: Buffer]> {
  const files = [join(folder, "key.pem"), join(folder, "cert.pem")] as const;
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"];
  execFileSync("openssl", [...words, "-keyout", files[0], "-out", files[1]], { stdio: "ignore" });
  return [await readFile(files[0]), await readFile(files[1])];
}
