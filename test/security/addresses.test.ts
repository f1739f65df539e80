/** Addresses and streams: what is fetched is bounded, and an http address never becomes a local file. */
import { createServer } from "node:http";
import type { Server } from "node:http";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { loadImage } from "../../src/image/source/source.ts";

let server: Server;
let base: string;
/** Bytes that the endless answer has given. */
let given = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    const [, what = "", rest = ""] = /^\/(\w+)\/?(.*)$/.exec(request.url ?? "") ?? [];
    if (what === "to") response.writeHead(302, { location: decodeURIComponent(rest) }).end();
    else if (what === "claims") response.writeHead(200, { "content-length": 2 ** 40 }).write("x");
    else if (what === "endless") {
      const more = (): void => {
        given += 65_536;
        if (!response.destroyed) response.write(Buffer.alloc(65_536), more);
      };
      more();
    } else response.writeHead(404).end("no");
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  base = `http://alice:tulip@127.0.0.1:${address.port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const LIMIT = 20 * 1024 * 1024;

const refused = (input: string | Blob | ReadableStream<Uint8Array>): Promise<unknown> =>
  loadImage(input, { limits: { bytes: LIMIT } }).then(
    () => ({ code: "loaded" }),
    (error: unknown) => error,
  );

test.each([
  "file:///etc/hostname",
  "data:image/png;base64,AAAA",
  "ftp://127.0.0.1/x",
  "FILE:///etc/hostname",
])("a redirect to %s is refused", async (location) => {
  const address = base.replace("alice:tulip@", "");
  const error = await refused(`${address}/to/${encodeURIComponent(location)}`);
  expect(error).toMatchObject({
    code: "INPUT_UNREADABLE",
    message: expect.stringContaining("it redirects to"),
  });
});

test("an answer that claims to be too large is not read, one that does not end is read up to the limit", async () => {
  const address = base.replace("alice:tulip@", "");
  expect(await refused(`${address}/claims`)).toMatchObject({ code: "INPUT_TOO_LARGE" });
  expect(await refused(`${address}/endless`)).toMatchObject({ code: "INPUT_TOO_LARGE" });
  expect(given).toBeLessThan(4 * LIMIT);
});

test("a data URL is measured before it is decoded, a blob before it is read", async () => {
  const fetched = vi.spyOn(globalThis, "fetch");
  const long = `data:image/png;base64,${"A".repeat(4 * LIMIT)}`;
  expect(await refused(long)).toMatchObject({ code: "INPUT_TOO_LARGE" });
  expect(fetched).not.toHaveBeenCalled();
  fetched.mockRestore();
  const read = vi.spyOn(Blob.prototype, "stream");
  expect(await refused(new Blob([new Uint8Array(LIMIT + 1)]))).toMatchObject({
    code: "INPUT_TOO_LARGE",
  });
  expect(read).not.toHaveBeenCalled();
  read.mockRestore();
});

test("a stream that does not end is read up to the limit, and then cancelled", async () => {
  let [read, cancelled] = [0, false];
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      read += 65_536;
      controller.enqueue(new Uint8Array(65_536));
    },
    cancel: () => void (cancelled = true),
  });
  expect(await refused(endless)).toMatchObject({ code: "INPUT_TOO_LARGE" });
  expect(read).toBeLessThan(LIMIT + 4 * 65_536);
  expect(cancelled).toBe(true);
});

async function textOf(input: string): Promise<string> {
  const error = await refused(input);
  return `${String(error)} ${JSON.stringify(error)}`;
}

test("an error shows neither the query of an address nor what is in a data URL", async () => {
  const address = base.replace("alice:tulip@", "");
  const texts = [
    `${address}/nothing?token=sesame`,
    "data:image/png;base64,sesame!",
    "http://127.0.0.1:1/?sesame",
  ];
  for (const text of texts) expect(await textOf(text)).not.toContain("sesame");
});

// What `fetch` says of such an address repeats it, and is taken over.
test("an error shows neither the user nor the password of an address", async () => {
  expect(await textOf(`${base}/nothing?token=sesame`)).not.toMatch(/alice|tulip|sesame/);
});
