/** The security list for servers: every control has a test that fails without it. */
import { connect } from "node:net";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { createServer } from "../../src/server.ts";
import { createFakeClassifier } from "../../src/testing.ts";
import { JPEG, TOKEN, closing, errorOf, fake, picture, send, serve, shared } from "./serve.ts";

const WEBP = readFileSync(new URL("../../examples/images/dog.webp", import.meta.url));

describe("who can reach the port:", () => {
  test("it listens on the loopback alone", async () => {
    const { port, url } = await shared();
    expect(url).toBe(`http://127.0.0.1:${port}`);
    const other = Object.values(networkInterfaces())
      .flat()
      .find((address) => address?.family === "IPv4" && !address.internal)?.address;
    // Another address of the loopback stands in where a machine has no network.
    const host = other ?? "127.0.0.2";
    const refused = await new Promise((resolve) => {
      const socket = connect({ host, port });
      socket.once("connect", () => resolve(false));
      socket.once("error", () => resolve(true));
    });
    expect(refused).toBe(true);
  });

  test("any other Host is refused before routing, also for addresses that need no token", async () => {
    const server = await shared();
    for (const host of [`evil.example:${server.port}`, "127.0.0.1", `localhost:${server.port + 1}`]) {
      for (const path of ["/", "/metrics", "/v2/health/live/", "/v2/health", "/nowhere"]) {
        const reply = await send(server, path, { headers: { host } });
        expect([host, path, reply.status, errorOf(reply).code]).toEqual([host, path, 421, "WRONG_HOST"]);
      }
    }
    for (const host of [`127.0.0.1:${server.port}`, `localhost:${server.port}`, `LOCALHOST:${server.port}`]) {
      expect((await send(server, "/v2", { headers: { host } })).status).toBe(200);
    }
  });

  test("a probe is answered by whatever name it asks, and to no foreign page", async () => {
    const server = await shared();
    const anonymous = true;
    for (const host of [
      "10.244.0.5:18431",
      "localhost:9000",
      "isotorch.default.svc.cluster.local",
      "[fd00::7]",
    ]) {
      for (const path of ["/v2/health/live", "/v2/health/ready", "/v2/health/live?x=1"]) {
        expect([host, path, (await send(server, path, { anonymous, headers: { host } })).status]).toEqual([
          host,
          path,
          200,
        ]);
      }
    }
    const headers = { host: "10.244.0.5", origin: "https://evil.example" };
    expect((await send(server, "/v2/health/live", { headers })).status).toBe(403);
  });

  test("a host that was allowed is answered, with its own page's origin", async () => {
    const server = await serve({ allowHosts: ["gpu.lan:9000", "*.svc.cluster.local", "10.*"] });
    for (const host of ["gpu.lan:9000", "a.b.svc.cluster.local:80", "10.244.0.5:18431"]) {
      expect([host, (await send(server, "/v2", { headers: { host } })).status]).toEqual([host, 200]);
      const own = { host, origin: `http://${host}` };
      expect((await send(server, "/v2", { headers: own })).status).toBe(200);
      expect((await send(server, "/v2", { headers: { host, origin: "http://10.1.1.1" } })).status).toBe(403);
    }
    for (const host of ["gpu.lan:9001", "svc.cluster.local", "10.evil.example"]) {
      expect([host, (await send(server, "/v2", { headers: { host } })).status]).toEqual([host, 421]);
    }
  });

  test("an absolute address in the request line is refused", async () => {
    const server = await shared();
    const reply = await send(server, "http://evil.example/v2/health/live", {
      headers: { host: `127.0.0.1:${server.port}` },
    });
    expect(reply.status).toBe(400);
  });
});

describe("a foreign web page:", () => {
  test("its Origin is refused, the page's own is not", async () => {
    const server = await shared();
    for (const origin of ["https://evil.example", "null", `http://localhost:${server.port + 1}`, "file://"]) {
      const reply = await picture(server, { headers: { origin } });
      expect([origin, reply.status, errorOf(reply).code]).toEqual([origin, 403, "FORBIDDEN"]);
    }
    expect((await picture(server, { headers: { origin: server.url } })).status).toBe(200);
  });

  test("Sec-Fetch-Site says where a request comes from, and another site is refused", async () => {
    const server = await shared();
    for (const site of ["cross-site", "same-site"]) {
      expect((await send(server, "/", { headers: { "sec-fetch-site": site } })).status).toBe(403);
    }
    for (const site of ["same-origin", "none"]) {
      expect((await send(server, "/", { headers: { "sec-fetch-site": site } })).status).toBe(200);
    }
  });

  test("no answer carries a header of CORS, and a preflight gets nowhere", async () => {
    const server = await shared();
    const asked = {
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization",
    };
    const preflights = [
      await send(server, "/classify", {
        method: "OPTIONS",
        headers: { origin: "https://evil.example", ...asked },
      }),
      await send(server, "/classify", { method: "OPTIONS", headers: { origin: server.url, ...asked } }),
      await send(server, "/v2"),
    ];
    expect(preflights.map(({ status }) => status)).toEqual([403, 404, 200]);
    for (const { headers } of preflights) {
      expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  });

  test("bodies that a page may send without asking first are refused", async () => {
    const server = await serve({ token: "off" });
    const simple = [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "text/plain; image/png",
    ];
    for (const path of ["/classify", "/compare", "/v2/models/resnet101/infer"]) {
      for (const type of simple) {
        const reply = await send(server, path, {
          body: JPEG,
          headers: { "content-type": type },
          anonymous: true,
        });
        expect([path, type, reply.status]).toEqual([path, type, 415]);
      }
      const bare = await send(server, path, { body: JPEG, anonymous: true });
      expect([path, "no content type", bare.status]).toEqual([path, "no content type", 415]);
    }
  });
});

describe("the token:", () => {
  const guarded = [
    "/v2",
    "/v2/models/resnet101",
    "/v2/models/resnet101/ready",
    "/metrics",
    "/status",
    "/events",
    "/classify",
    "/nowhere",
  ];

  test("without it only probes and the files of the page are answered", async () => {
    const server = await shared();
    for (const path of guarded) {
      const reply = await send(server, path, { anonymous: true });
      expect([path, reply.status, reply.headers["www-authenticate"]]).toEqual([path, 401, "Bearer"]);
    }
    for (const path of ["/v2/health/live", "/v2/health/ready", "/", "/page/main.js", "/page/text/words.js"]) {
      expect([path, (await send(server, path, { anonymous: true })).status]).toEqual([path, 200]);
    }
    for (const path of ["/classify", "/compare", "/v2/models/resnet101/infer"]) {
      const reply = await send(server, path, {
        anonymous: true,
        body: JPEG,
        headers: { "content-type": "image/jpeg" },
      });
      expect([path, reply.status]).toEqual([path, 401]);
    }
  });

  test("without it nothing tells how long a name may be", async () => {
    const server = await shared();
    for (const length of [50, 101, 4_000]) {
      const name = "x".repeat(length);
      for (const path of [`/v2/models/${name}`, `/page/${name}`, `/v2/models/${name}/infer`]) {
        const isOpen = path.startsWith("/page/");
        const { status } = await send(server, path, { anonymous: true });
        expect([path.slice(0, 12), length, status]).toEqual([path.slice(0, 12), length, isOpen ? 404 : 401]);
        expect((await send(server, path)).status).toBe(404);
      }
    }
  });

  test("a wrong one, one of another length, and one in the wrong place are refused", async () => {
    const server = await shared();
    const wrong = [
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      TOKEN,
      `Basic ${TOKEN}`,
      "Bearer ",
      `Bearer ${"x".repeat(TOKEN.length)}`,
    ];
    for (const authorization of wrong) {
      expect((await send(server, "/v2", { headers: { authorization } })).status).toBe(401);
    }
    expect((await send(server, `/v2?token=${TOKEN}`, { anonymous: true })).status).toBe(401);
    expect(
      (await send(server, "/v2", { anonymous: true, headers: { cookie: `token=${TOKEN}` } })).status,
    ).toBe(401);
  });

  test("by default it is random, 256 bits, another one each time", async () => {
    const classifier = closing(await fake());
    const servers = [1, 2].map(async () => closing(await createServer({ classifier, port: 0 })));
    const [one, two] = await Promise.all(servers);
    expect(one?.token).toMatch(/^[\w-]{43}$/);
    expect(one?.token).not.toBe(two?.token);
    expect(one?.pageUrl).toBe(`${one?.url}/#token=${one?.token}`);
  });

  test("a short one, or one that a header cannot hold, is refused", async () => {
    for (const token of ["short", "with a space in it", "0123456789abcde\n"]) {
      await expect(serve({ token })).rejects.toMatchObject({ code: "INVALID_OPTION" });
    }
  });

  test("`off` lets in whoever reaches the port", async () => {
    expect((await send(await serve({ token: "off" }), "/v2", { anonymous: true })).status).toBe(200);
  });

  test("neither log lines nor errors hold it", async () => {
    const lines: string[] = [];
    const server = await serve({ logLevel: "debug", logTo: { write: (line) => void lines.push(line) } });
    const replies = [
      await send(server, `/v2?token=${TOKEN}`),
      await send(server, `/nowhere/${TOKEN.slice(0, 4)}`),
      await picture(server, { body: "no picture" }),
      await send(server, "/v2", { headers: { authorization: `Bearer x${TOKEN}` } }),
    ];
    const said = lines.join("") + replies.map(({ body }) => body.toString()).join("");
    expect(lines.length).toBeGreaterThan(3);
    expect(said).not.toContain(TOKEN);
  });
});

describe("what is asked for:", () => {
  test("no address takes a URL, a path of the server or a model file", async () => {
    const server = await shared();
    const tries = [
      picture(server, { query: "?url=http://127.0.0.1/" }),
      picture(server, { query: "?input=/etc/passwd" }),
      picture(server, { query: "?model=/etc/passwd" }),
      picture(server, { body: "/etc/passwd" }),
      picture(server, {
        body: "http://127.0.0.1:1/",
        headers: { "content-type": "application/octet-stream" },
      }),
    ];
    expect((await Promise.all(tries)).map(({ status }) => status)).toEqual([400, 400, 400, 415, 415]);
    for (const path of [
      "/v2/repository/models/resnet101/unload",
      "/v2/repository/models/resnet101/load",
      "/v2/systemsharedmemory/status",
    ]) {
      expect(
        (await send(server, path, { body: "{}", headers: { "content-type": "application/json" } })).status,
      ).toBe(404);
    }
  });

  test("the page's files are those of its folder", async () => {
    const server = await shared();
    for (const name of [
      "..%2Fserver.js",
      "%2e%2e/package.json",
      "main.js%00",
      "nothing.js",
      "text",
      "text/..%2Fmain.js",
      "../../package.json",
    ]) {
      expect([name, (await send(server, `/page/${name}`)).status]).toEqual([name, 404]);
    }
  });

  test("a body beyond the limit is refused, declared or not", async () => {
    const server = await shared();
    const large = Buffer.alloc(20 * 1024 * 1024 + 1, 0xff);
    const declared = await picture(server, { body: large }).catch(({ code }: { code: string }) => code);
    // Node may close the connection while the client still sends.
    if (typeof declared === "string") expect(declared).toMatch(/EPIPE|ECONNRESET/);
    else expect([declared.status, errorOf(declared).code]).toEqual([413, "INPUT_TOO_LARGE"]);
    const chunked = await picture(server, { body: large, headers: { "transfer-encoding": "chunked" } }).catch(
      ({ code }: { code: string }) => code,
    );
    if (typeof chunked === "string") expect(chunked).toMatch(/EPIPE|ECONNRESET/);
    else expect(chunked.status).toBe(413);
    expect((await picture(server)).status).toBe(200);
  });

  test("a compressed body that unpacks to more than the limit is refused while it unpacks", async () => {
    const server = await serve({ limits: { pictureBytes: 1024 * 1024 } });
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(100_000);
    const reply = await picture(server, { body: bomb, headers: { "content-encoding": "gzip" } });
    expect([reply.status, errorOf(reply).code]).toEqual([413, "INPUT_TOO_LARGE"]);
    expect((await picture(server)).status).toBe(200);
  });
});

test("no picture is decoded in the server's process: the classifier gets tensors, or files for Pillow alone", async () => {
  const seen: string[] = [];
  const classifier = closing(
    await createFakeClassifier((image, { handoff, include }) => {
      const kind = image instanceof Uint8Array ? "file" : "tensor";
      seen.push(`${kind} ${handoff ?? "by default"}, tensor ${String(include?.tensor ?? false)}`);
      return [{ index: 0, score: 1 }];
    }),
  );
  const server = await serve({ classifier });
  const damaged = WEBP.subarray(0, WEBP.length >> 1);
  // sharp in the decoder calls this damaged: Pillow has the last word, and makes the crop in the worker.
  await picture(server, { body: damaged, query: "?include=crop" });
  await picture(server, { body: damaged });
  await picture(server);
  expect(seen).toEqual([
    "file encoded, tensor true",
    "file encoded, tensor false",
    "tensor by default, tensor false",
  ]);
});

test("every answer, refusals too, carries the headers that bind a browser", async () => {
  const server = await shared();
  const replies = [
    await send(server, "/"),
    await send(server, "/nowhere"),
    await send(server, "/v2", { anonymous: true }),
    await send(server, "/", { headers: { host: "evil.example" } }),
    await picture(server),
  ];
  for (const { headers } of replies) {
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    expect(headers["content-security-policy"]).not.toMatch(/unsafe|https?:|\*/);
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      "cross-origin-opener-policy": "same-origin",
      "x-frame-options": "DENY",
      "cache-control": "no-store",
    });
  }
});
