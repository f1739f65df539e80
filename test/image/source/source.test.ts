import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ImageInput, loadImage } from "../../../src/image/source/source.ts";

const CONTENT = Uint8Array.from({ length: 3000 }, (_, i) => i % 251);
let folder: string;
let server: Server;
let base: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "isotorch-source-"));
  await writeFile(join(folder, 'a picture\'s "name" ü.bin'), CONTENT);
  await writeFile(join(folder, "empty"), "");
  await mkdir(join(folder, "directory"));
  server = createServer((request, response) => {
    const path = request.url ?? "";
    if (path.startsWith("/picture")) response.end(CONTENT);
    else if (path === "/loop") response.writeHead(302, { location: "/loop" }).end();
    else if (path === "/once") response.writeHead(302, { location: "/picture" }).end();
    else if (path === "/to-file") response.writeHead(302, { location: "file:///etc/hostname" }).end();
    else if (path === "/claims-much") response.writeHead(200, { "content-length": 1e12 }).write("x");
    else if (path === "/endless") setInterval(() => response.write(CONTENT), 1).unref();
    else if (path === "/silent") response.writeHead(200).write("x");
    else response.writeHead(404).end("no");
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  base = `http://127.0.0.1:${address.port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JavaScript callers may hand over
const asInput = (input: unknown): ImageInput => input as ImageInput;

const refused = (input: unknown, options = {}): Promise<unknown> =>
  loadImage(asInput(input), options).then(
    () => ({ code: "none" }),
    (error: unknown) => error,
  );

describe("a path that is no picture file is refused", () => {
  it.each([
    ["missing", "INPUT_NOT_FOUND"],
    ["empty/below-a-file", "INPUT_NOT_FOUND"],
    ["directory", "INPUT_UNREADABLE"],
    ["empty", "UNSUPPORTED_FORMAT"],
    ["nul\0byte", "INPUT_UNREADABLE"],
    ["x".repeat(5000), "INPUT_UNREADABLE"],
  ])("%j with %s", async (name, code) => {
    expect(await refused(join(folder, name))).toMatchObject({ code, hint: expect.any(String) });
  });

  it.runIf(process.platform !== "win32")("without waiting on a FIFO or reading a device", async () => {
    execFileSync("mkfifo", [join(folder, "fifo")]);
    expect(await refused(join(folder, "fifo"))).toMatchObject({ code: "INPUT_UNREADABLE" });
    expect(await refused("/dev/zero")).toMatchObject({ code: "INPUT_UNREADABLE" });
  });

  it("when it has more bytes than allowed", async () => {
    const path = join(folder, 'a picture\'s "name" ü.bin');
    expect(await refused(path, { limits: { bytes: 2999 } })).toMatchObject({ code: "INPUT_TOO_LARGE" });
  });

  it.runIf(process.platform === "linux")("when it says less than it gives", async () => {
    // Files of /proc say that they have no bytes.
    expect(await refused("/proc/self/maps", { limits: { bytes: 100 } })).toMatchObject({
      code: "INPUT_TOO_LARGE",
    });
  });
});

describe("an address that gives no picture is refused", () => {
  it.each([
    ["/nothing?token=secret", "INPUT_UNREADABLE", "404"],
    ["/loop", "INPUT_UNREADABLE", "redirects more than"],
    ["/to-file", "INPUT_UNREADABLE", "redirects to file:"],
    ["/claims-much", "INPUT_TOO_LARGE", "larger than"],
    ["/endless", "INPUT_TOO_LARGE", "larger than"],
  ])("%s with %s", async (path, code, says) => {
    const error = await refused(base + path, { limits: { bytes: 50_000 } });
    expect(error).toMatchObject({ code, message: expect.stringContaining(says) });
    expect(error).toHaveProperty("message", expect.stringContaining(base));
    expect(error).toHaveProperty("message", expect.not.stringContaining("secret"));
  });

  it.each([
    ["http://127.0.0.1:1/x.jpg", "INPUT_UNREADABLE"],
    ["http://", "INVALID_INPUT"],
    [new URL("ftp://example.org/x.jpg"), "INVALID_INPUT"],
    [new URL("file://host/x.jpg"), "INVALID_INPUT"],
    ["data:broken", "INPUT_UNREADABLE"],
  ])("%s with %s", async (url, code) => {
    expect(await refused(url)).toMatchObject({ code });
  });
});

describe("other inputs that are not pictures are refused", () => {
  const pixels = { data: new Uint8Array(12), width: 2, height: 2, channels: 3 };
  const tensor = { data: new Float32Array(12), shape: [1, 3, 2, 2] };
  it.each<[unknown, string]>([
    ["", "INVALID_INPUT"],
    [undefined, "INVALID_INPUT"],
    [null, "INVALID_INPUT"],
    [42, "INVALID_INPUT"],
    [[1, 2], "INVALID_INPUT"],
    [{}, "INVALID_INPUT"],
    [new Uint8Array(), "UNSUPPORTED_FORMAT"],
    [new ArrayBuffer(0), "UNSUPPORTED_FORMAT"],
    [{ ...pixels, width: 3 }, "INVALID_INPUT"],
    [{ ...pixels, width: 0 }, "INVALID_INPUT"],
    [{ ...pixels, width: 1.5 }, "INVALID_INPUT"],
    [{ ...pixels, channels: 2 }, "INVALID_INPUT"],
    [{ ...pixels, data: [1] }, "INVALID_INPUT"],
    [{ ...pixels, width: 65_535, height: 65_535 }, "INPUT_TOO_LARGE"],
    [{ ...tensor, shape: [1, 3, 2, 3] }, "BAD_TENSOR"],
    [{ ...tensor, shape: [2, 3, 1, 2] }, "BAD_TENSOR"],
    [{ ...tensor, shape: [12] }, "BAD_TENSOR"],
    [{ ...tensor, data: new Float64Array(12) }, "BAD_TENSOR"],
    [{ ...tensor, data: tensor.data.with(7, Number.NaN) }, "BAD_TENSOR"],
    [{ ...tensor, data: tensor.data.with(0, Number.NEGATIVE_INFINITY) }, "BAD_TENSOR"],
  ])("case %#", async (input, code) => {
    expect(await refused(input)).toMatchObject({ code, hint: expect.any(String) });
  });

  it("a stream that fails, is locked, gives text, or does not end", async () => {
    const failing = new ReadableStream({ pull: (c) => c.error(new Error("cable pulled")) });
    expect(await refused(failing)).toMatchObject({
      code: "INPUT_UNREADABLE",
      cause: { message: "cable pulled" },
    });
    expect(await refused(failing)).toMatchObject({ code: "INPUT_UNREADABLE" });
    const texts = new ReadableStream({ pull: (c) => c.enqueue("text") });
    expect(await refused(texts)).toMatchObject({ code: "INVALID_INPUT" });
    let cancelled = false;
    const endless = new ReadableStream({
      pull: (c) => c.enqueue(CONTENT),
      cancel: () => void (cancelled = true),
    });
    expect(await refused(endless)).toMatchObject({ code: "INPUT_TOO_LARGE" });
    expect(cancelled).toBe(true);
    expect(await refused(new Blob([CONTENT]), { limits: { bytes: 10 } })).toMatchObject({
      code: "INPUT_TOO_LARGE",
    });
  });
});

describe("an aborted load", () => {
  it("is ABORTED, with the reason as its cause, whether or not it had begun", async () => {
    const reason = new Error("changed my mind");
    expect(await refused("x.jpg", { signal: AbortSignal.abort(reason) })).toMatchObject({
      code: "ABORTED",
      cause: reason,
    });
    const hanging = [new ReadableStream({}), `${base}/silent`];
    for (const input of hanging) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 50);
      expect(await refused(input, { signal: controller.signal })).toMatchObject({
        code: "ABORTED",
        cause: reason,
      });
    }
  });
});

const pixel = async (channels: 1 | 3 | 4, ...data: number[]): Promise<unknown> =>
  loadImage({ data: Uint8ClampedArray.from(data), width: 1, height: 1, channels });
const rgb = (...data: number[]): unknown => ({
  kind: "pixels",
  pixels: { data: Uint8Array.from(data), width: 1, height: 1 },
});

describe("every way to hand over a picture gives its bytes", () => {
  it("by path, URL, bytes, blob and stream", async () => {
    const path = join(folder, 'a picture\'s "name" ü.bin');
    const shared = new Uint8Array(new SharedArrayBuffer(3000));
    shared.set(CONTENT);
    const data = `data:application/octet-stream;base64,${Buffer.from(CONTENT).toString("base64")}`;
    const inputs = [
      path,
      pathToFileURL(path),
      pathToFileURL(path).href,
      `${base}/picture`,
      new URL(`${base}/once`),
    ];
    const held = [data, CONTENT, Buffer.from(CONTENT), CONTENT.buffer, shared];
    for (const input of [...inputs, ...held, new Blob([CONTENT]), new Blob([CONTENT]).stream()]) {
      const loaded = await loadImage(input);
      expect(loaded.kind === "encoded" && Buffer.compare(loaded.bytes, CONTENT)).toBe(0);
    }
  });

  it("as pixels of 1, 3 or 4 channels, and as a tensor", async () => {
    expect(await pixel(1, 7)).toEqual(rgb(7, 7, 7));
    expect(await pixel(3, 7, 8, 9)).toEqual(rgb(7, 8, 9));
    expect(await pixel(4, 7, 8, 9, 0)).toEqual(rgb(7, 8, 9));
    const data = new Float32Array(12);
    expect(await loadImage({ data, shape: [3, 2, 2] })).toEqual({
      kind: "tensor",
      tensor: { data, shape: [1, 3, 2, 2] },
    });
  });
});
