import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IsotorchError } from "../../src/base/errors.ts";
import { decode } from "../../src/image/decode/decode.ts";
import { Pool } from "../../src/image/pool.ts";
import type { Job } from "../../src/image/prepare.ts";
import { preprocessPixels } from "../../src/image/preprocess.ts";
import { STANDIN } from "../standin.ts";
import { chunk, packedText, png, pngOfSize } from "../security/bombs.ts";
import { BMP } from "./bmp.ts";
import { encoded, file, jobOf } from "./job.ts";
import { bytesOf, differences, Random, SPEC_V1 } from "./random.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/images/", import.meta.url));
const DOG = join(EXAMPLES, "dog.webp");
const never = new AbortController().signal;
const pool = new Pool({ processes: 2 });
const leave = pool.enter();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "isotorch-pool-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await leave();
});

const failureOf = (job: Job, signal = never, of = pool): Promise<unknown> =>
  of.run(job, signal).then(
    () => ({ code: "none" }),
    (error: unknown) => error,
  );

describe("an error crosses to the caller as it is:", () => {
  const bombs: [string, Uint8Array, string][] = [
    ["a pixel bomb", pngOfSize(14_000, 14_000), "INPUT_TOO_LARGE"],
    ["an SVG drawing", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), "UNSUPPORTED_FORMAT"],
  ];
  it.each(bombs)("%s", async (_, bytes, code) => {
    const error = await failureOf(jobOf(encoded(bytes)));
    expect(error).toBeInstanceOf(IsotorchError);
    expect(error).toMatchObject({ code, hint: expect.any(String) });
  });

  it("and a text bomb goes to Pillow, which refuses it", async () => {
    const bomb = encoded(png(chunk("zTXt", packedText("zTXt", 100e6))));
    expect(await pool.run(jobOf(bomb), never)).toMatchObject({ left: expect.any(String) });
  });

  it("a file that is not there, with the system's error as its cause", async () => {
    const error = await failureOf(jobOf(file(join(folder, "none.jpg"))));
    expect(error).toBeInstanceOf(IsotorchError);
    expect(error).toMatchObject({
      code: "INPUT_NOT_FOUND",
      message: `There is no file ${join(folder, "none.jpg")}.`,
      hint: "Check the path",
      cause: { code: "ENOENT", message: expect.stringContaining("ENOENT") },
    });
  });

  it("damage that decoders only warn of is left to Pillow, with the file", async () => {
    const whole = readFileSync(join(EXAMPLES, "landscape.jpg"));
    const tables = whole.indexOf(Buffer.from("ffc4", "hex"));
    const rubbish = Buffer.concat([whole.subarray(0, tables), Buffer.alloc(64, 1), whole.subarray(tables)]);
    for (const bytes of [rubbish, whole.subarray(0, whole.length >> 1)]) {
      const { left, encoded: back, tensor } = await pool.run(jobOf(encoded(bytes)), never);
      expect([left, tensor]).toEqual([expect.any(String), undefined]);
      expect(differences(back ?? new Uint8Array(), bytes)).toBe(0);
    }
  });
});

describe("an aborted call", () => {
  it("ends at once, waiting or running, and leaves the others alone", async () => {
    const reason = new Error("changed my mind");
    const controllers = Array.from({ length: 12 }, () => new AbortController());
    const calls = controllers.map(({ signal }) => failureOf(jobOf(file(DOG)), signal));
    controllers.forEach((controller, i) => i % 2 === 0 && controller.abort(reason));
    const ends = await Promise.all(calls);
    ends.forEach((end, i) =>
      expect(end).toMatchObject(i % 2 === 0 ? { code: "ABORTED", cause: reason } : { code: "none" }),
    );
    expect(await failureOf(jobOf(file(DOG)), AbortSignal.abort(reason))).toMatchObject({ code: "ABORTED" });
  });
});

describe("a picture prepared in a process", () => {
  it("has the bits that it has when prepared here, whatever it came as", async () => {
    const bytes = new Uint8Array(readFileSync(DOG));
    const pixels = await decode(bytes);
    const want = bytesOf(preprocessPixels(pixels, SPEC_V1).data);
    writeFileSync(join(folder, "copy"), bytes);
    const sources: Job["source"][] = [
      file(DOG),
      file(join(folder, "copy")),
      encoded(bytes),
      { kind: "pixels", pixels },
    ];
    for (const source of sources) {
      const { tensor } = await pool.run(jobOf(source), never);
      expect(differences(bytesOf(tensor!.data), want)).toBe(0);
      expect(tensor!.shape).toEqual([1, 3, 224, 224]);
    }
  });

  it("leaves the caller the memory that the caller gave", async () => {
    const around = new Uint8Array(readFileSync(DOG).length + 7);
    const bytes = around.subarray(7);
    bytes.set(readFileSync(DOG));
    const picture = new Random(9).pixels(300, 200);
    await pool.run(jobOf(encoded(bytes)), never);
    await pool.run(jobOf({ kind: "pixels", pixels: picture }), never);
    expect([bytes.length, picture.data.length]).toEqual([readFileSync(DOG).length, 300 * 200 * 3]);
  });

  it("gives what was asked for and nothing else", async () => {
    const all = { encoded: true, pixels: true, cropped: true, tensor: true };
    const made = await pool.run(jobOf(file(DOG), all), never);
    expect(Object.keys(made).toSorted()).toEqual(["cropped", "encoded", "laps", "pixels", "tensor"]);
    expect(Object.keys(made.laps)).toEqual(["read", "decode", "preprocess"]);
    const { cropped } = await pool.run(jobOf(file(DOG), { cropped: true }), never);
    expect(differences(cropped!.data, made.cropped!.data)).toBe(0);
    expect(Object.keys(await pool.run(jobOf(file(DOG), { encoded: true }), never))).toEqual([
      "encoded",
      "laps",
    ]);
  });
});

describe("what only Pillow reads, and damage,", () => {
  const cut = readFileSync(DOG).subarray(0, readFileSync(DOG).length >> 1);
  it.each([
    ["a BMP", BMP, {}],
    ["a file that is cut off", cut, {}],
    ["the same in strict mode", cut, { mode: "strict" as const }],
  ])("is left to it with the file: %s", async (_, bytes, reading) => {
    const made = await pool.run({ ...jobOf(encoded(bytes), { cropped: true }), decode: reading }, never);
    expect(Object.keys(made).toSorted()).toEqual(["encoded", "laps", "left"]);
    expect(differences(made.encoded!, bytes)).toBe(0);
    expect(made.encoded!.buffer).not.toBe(bytes.buffer);
  });
});

it("a relative path starts where the program is, also after it went elsewhere", async () => {
  const before = process.cwd();
  writeFileSync(join(folder, "here.webp"), readFileSync(DOG));
  process.chdir(folder);
  try {
    expect(Object.keys(await pool.run(jobOf(file("here.webp")), never))).toContain("tensor");
    expect(await failureOf(jobOf(file("none.webp")))).toMatchObject({
      message: "There is no file none.webp.",
    });
  } finally {
    process.chdir(before);
  }
});

describe("a program", () => {
  const index = JSON.stringify(new URL("../../dist/index.js", import.meta.url));
  const run = (body: string) => {
    const script = `import { preprocess } from ${index}; const image = ${JSON.stringify(DOG)}; ${body}`;
    const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      env: { ...process.env, ISOTORCH_PYTHON: STANDIN.python },
      timeout: 200_000,
    });
    return { status, stdout };
  };

  it("that preprocessed a picture ends by itself", () => {
    const { status, stdout } = run("console.log((await preprocess(image)).shape.join());");
    expect({ status, stdout }).toEqual({ status: 0, stdout: "1,3,224,224\n" });
  });

  it("that ends while pictures are prepared ends with its own exit code", () => {
    const body =
      "for (let i = 0; i < 9; i++) void preprocess(image); setTimeout(() => process.exit(3), 100);";
    expect(run(body).status).toBe(3);
  });
});

it("a process that cannot even be tried is told, and leaves nobody waiting", async () => {
  const impossible = new Pool({ processes: 1, script: new URL("https://example.org/child.js") });
  const leaveIt = impossible.enter();
  for (let turn = 0; turn < 2; turn += 1) {
    const error = await failureOf(jobOf(file(DOG)), never, impossible);
    expect(error).toMatchObject({ code: "WORKER_START_FAILED", hint: expect.stringContaining("ulimit") });
  }
  await leaveIt();
});
