import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { runInNewContext } from "node:vm";
import sharp from "sharp";
import { afterAll, describe, expect, it, test } from "vitest";
import { type ImageInput, type LoadedImage, loadImage } from "../../../src/image/source/source.ts";

const CONTENT = Uint8Array.from({ length: 3_000 }, (_, at) => at % 251);
const folder = mkdtempSync(join(tmpdir(), "isotorch-inputs-"));
const file = join(folder, "picture.bin");
writeFileSync(file, CONTENT);
afterAll(() => rmSync(folder, { recursive: true }));

const base64 = Buffer.from(CONTENT).toString("base64");

/** A value that a script of another realm has made. */
function foreign(expression: string, values: object = {}): unknown {
  return runInNewContext(expression, { ...values, values: [...CONTENT] });
}

/** Memory that threads share, with the content in it. */
function shared(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(CONTENT.length);
  new Uint8Array(memory).set(CONTENT);
  return memory;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JavaScript callers may hand over
const load = (input: unknown, options = {}): Promise<LoadedImage> => loadImage(input as ImageInput, options);

const refused = (input: unknown, options = {}): Promise<unknown> =>
  load(input, options).then(
    () => ({ code: "none" }),
    (error: unknown) => error,
  );

async function* chunks(): AsyncGenerator<Uint8Array> {
  yield CONTENT.subarray(0, 1_000);
  yield CONTENT.subarray(1_000);
}

describe("the bytes of a picture file come as", () => {
  const kinds: Readonly<Record<string, () => unknown>> = {
    "a stream of a file": () => createReadStream(file, { highWaterMark: 100 }),
    "a stream of Node": () => Readable.from([Buffer.from(CONTENT)]),
    "an iterable of bytes": chunks,
    "an iterable of views of another realm": () => Readable.from([foreign("new Uint8Array(values)")]),
    "a response": () => new Response(CONTENT),
    "a request": () => new Request("http://127.0.0.1/", { method: "POST", body: CONTENT }),
    "a response of a library that has streams of Node": () => ({
      body: Readable.from([CONTENT]),
      bodyUsed: false,
      ok: true,
      arrayBuffer: () => undefined,
    }),
    "a file": () => new File([CONTENT], "picture.jpg"),
    "a blob of a ponyfill": () => ({
      size: 3_000,
      type: "",
      stream: () => new Blob([CONTENT]).stream(),
      slice: () => undefined,
    }),
    "a web stream of a ponyfill": () => {
      const stream = new Blob([CONTENT]).stream();
      return { locked: false, getReader: () => stream.getReader() };
    },
    "a clamped array": () => new Uint8ClampedArray(CONTENT),
    "a view of a part of a buffer": () => {
      const room = new Uint8Array(CONTENT.length + 7);
      room.set(CONTENT, 5);
      return new DataView(room.buffer, 5, CONTENT.length);
    },
    "shared memory": shared,
    "a view of shared memory": () => new Uint8Array(shared()),
    "an array of another realm": () => foreign("new Uint8Array(values)"),
    "a buffer of another realm": () => foreign("new Uint8Array(values).buffer"),
    "a view of another realm": () => foreign("new DataView(new Uint8Array(values).buffer)"),
    "an upload in memory": () => ({
      originalname: "a.jpg",
      mimetype: "image/jpeg",
      buffer: Buffer.from(CONTENT),
    }),
    "an upload on the disk": () => ({ originalname: "a.jpg", mimetype: "image/jpeg", path: file }),
    "an upload of formidable": () => ({ originalFilename: "a.jpg", mimetype: null, filepath: file }),
    "an upload of Fastify": () => ({
      mimetype: "image/jpeg",
      filename: "a.jpg",
      file: Readable.from([CONTENT]),
    }),
    "a data: URL": () => `data:image/jpeg;base64,${base64}`,
    "a data: URL without padding": () => `data:image/jpeg;base64,${base64.replace(/=+$/, "")}`,
    "a data: URL in base64url": () => `data:image/jpeg;base64,${Buffer.from(CONTENT).toString("base64url")}`,
    "a data: URL in lines": () => `data:image/jpeg;base64,${base64.replaceAll(/.{76}/g, "$&\r\n")}`,
    "a data: URL in capitals": () => `DATA:image/jpeg;charset=utf-8;BASE64,${base64}`,
    "a data: URL in percents": () => `data:;base64,${encodeURIComponent(base64)}`,
  };

  it.each(Object.keys(kinds))("%s", async (kind) => {
    const loaded = await load(kinds[kind]?.());
    expect(loaded.kind).toBe("encoded");
    // Of this realm, and of memory that nobody else writes.
    expect(loaded).toEqual({ kind: "encoded", bytes: expect.any(Uint8Array) as Uint8Array });
    if (loaded.kind !== "encoded") return;
    expect(loaded.bytes.buffer).toBeInstanceOf(ArrayBuffer);
    expect(Buffer.compare(loaded.bytes, CONTENT)).toBe(0);
  });
});

describe("pixels come as", () => {
  const rgba = Uint8ClampedArray.from([1, 2, 3, 0, 5, 6, 7, 255]);

  test("ImageData, whose alpha is dropped", async () => {
    const loaded = await load({ data: rgba, width: 2, height: 1, colorSpace: "srgb" });
    expect(loaded).toEqual({
      kind: "pixels",
      pixels: { data: Uint8Array.from([1, 2, 3, 5, 6, 7]), width: 2, height: 1 },
    });
  });

  test("what sharp gives, with its numbers beside the data", async () => {
    const raw = await sharp(Uint8Array.from(rgba), { raw: { width: 2, height: 1, channels: 4 } })
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect((await load(raw)).kind).toBe("pixels");
  });

  test("an array of another realm", async () => {
    const data = foreign("new Uint8ClampedArray([1, 2, 3])");
    expect(await load({ data, width: 1, height: 1, channels: 3 })).toMatchObject({ kind: "pixels" });
  });

  test("no array that is not four bytes for each pixel, where nothing says how many there are", async () => {
    expect(await refused({ data: new Uint8Array(6), width: 2, height: 1 })).toMatchObject({
      code: "INVALID_INPUT",
      message: expect.stringContaining("channels must be 1, 3 or 4, received undefined") as string,
    });
  });
});

test("tensors come from other realms, and from ONNX Runtime", async () => {
  const data = new Float32Array(12);
  const expected = { kind: "tensor", tensor: { data, shape: [1, 3, 2, 2] } };
  expect(await load({ data: foreign("new Float32Array(12)"), shape: [1, 3, 2, 2] })).toEqual(expected);
  expect(await load({ data, dims: [1, 3, 2, 2], type: "float32" })).toEqual(expected);
  expect(await load({ data, dims: BigInt64Array.from([1n, 3n, 2n, 2n]) })).toEqual(expected);
});

test("a URL of another realm is one", async () => {
  const url = { href: `data:;base64,${base64}`, [Symbol.toStringTag]: "URL" };
  expect((await load(url)).kind).toBe("encoded");
});

describe("refused, with what to do:", () => {
  const read = Readable.from([CONTENT]);
  const text = createReadStream(file, { encoding: "latin1" });
  const kinds: readonly [string, unknown, string, RegExp][] = [
    [
      "a response that is no success",
      new Response("no", { status: 404 }),
      "INPUT_UNREADABLE",
      /response\.ok/,
    ],
    ["a pipeline of sharp", sharp(Buffer.from(CONTENT)), "INVALID_INPUT", /toBuffer/],
    [
      "a Buffer after JSON",
      JSON.parse(JSON.stringify(Buffer.from(CONTENT))),
      "INVALID_INPUT",
      /Buffer\.from/,
    ],
    ["an upload that is nowhere", { mimetype: "image/png", originalname: "a" }, "INVALID_INPUT", /stored/],
    ["an open file", { fd: 3, createReadStream: () => undefined }, "INVALID_INPUT", /readFile/],
    ["a stream of text", text, "INVALID_INPUT", /encoding/],
    ["a stream of objects", Readable.from([{ a: 1 }]), "INVALID_INPUT", /stream of bytes/],
    ["a list", [1, 2], "INVALID_INPUT", /Give a path/],
    [
      "a text in base64",
      Buffer.concat([Buffer.from("ffd8ff", "hex"), CONTENT]).toString("base64"),
      "INPUT_NOT_FOUND",
      /looks like base64/,
    ],
    ["an address of another kind", "s3://bucket/a.jpg", "INPUT_NOT_FOUND", /s3: addresses/],
    ["a data: URL of something else", "data:image/png;base64,a~b", "INPUT_UNREADABLE", /.*/],
    ["a data: URL that is cut off", "data:image/png;base64,abcde", "INPUT_UNREADABLE", /.*/],
  ];

  it.each(kinds)("%s", async (_, input, code, hint) => {
    expect(await refused(input)).toMatchObject({ code, hint: expect.stringMatching(hint) as string });
  });

  test("a stream, a body or a response that was read already", async () => {
    await load(read);
    const response = new Response(CONTENT);
    await response.arrayBuffer();
    const ended = new PassThrough();
    ended.destroy();
    for (const input of [read, response, ended])
      expect(await refused(input)).toMatchObject({ code: "INPUT_UNREADABLE" });
  });
});

describe("a stream of Node", () => {
  test("that fails says why, whenever it does", async () => {
    const early = createReadStream(join(folder, "missing"));
    await new Promise((resolve) => early.once("error", resolve));
    for (const stream of [early, createReadStream(join(folder, "missing"))]) {
      expect(await refused(stream)).toMatchObject({
        code: "INPUT_UNREADABLE",
        message: expect.stringContaining("ENOENT") as string,
      });
    }
  });

  test("is read no further than the limit, and ended", async () => {
    let given = 0;
    const endless = new Readable({
      read() {
        given += 1_000;
        this.push(Buffer.alloc(1_000));
      },
      highWaterMark: 1_000,
    });
    expect(await refused(endless, { limits: { bytes: 10_000 } })).toMatchObject({ code: "INPUT_TOO_LARGE" });
    expect(given).toBeLessThan(20_000);
    expect(endless.destroyed).toBe(true);
  });

  test("that gives nothing more is left when the call is aborted", async () => {
    const silent = new PassThrough();
    silent.write("x");
    const aborting = new AbortController();
    const failing = refused(silent, { signal: aborting.signal });
    silent.once("resume", () => undefined);
    setImmediate(() => aborting.abort());
    expect(await failing).toMatchObject({ code: "ABORTED" });
    expect(silent.destroyed).toBe(true);
  });
});
