/** Pictures of strangers are decoded elsewhere: a crash, a hang or a bomb costs one request. */
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { specOf } from "../../src/worker/known.ts";
import { referenceAttestation } from "../../src/image/attest/attestation.ts";
import { DEFAULT_LIMITS } from "../../src/image/limits.ts";
import type { DecodeJob } from "../../src/server/decoder/messages.ts";
import { DecoderPool } from "../../src/server/decoder/pool.ts";
import type { DecoderOptions } from "../../src/server/decoder/pool.ts";
import { codeOf } from "../failure.ts";
import { BMP } from "../image/bmp.ts";
import { isRunning } from "../processes.ts";
import { DECODER, JPEG } from "./serve.ts";

const WEBP = readFileSync(new URL("../../examples/images/dog.webp", import.meta.url));
const MISBEHAVES = new URL("../fixtures/decoders/misbehaves.mjs", import.meta.url);

let pool: DecoderPool | undefined;
afterEach(() => pool?.close());

function start(options: Partial<DecoderOptions> = {}): DecoderPool {
  pool = new DecoderPool({ processes: 1, timeoutMs: 10_000, maxWaiting: 64, script: MISBEHAVES, ...options });
  return pool;
}

function jobOf(bytes: Buffer, want: "cropped" | "pixels" = "cropped", mode?: "strict"): DecodeJob {
  return {
    source: { kind: "encoded", bytes },
    spec: specOf("IMAGENET1K_V1"),
    attestation: referenceAttestation(),
    limits: DEFAULT_LIMITS,
    decode: { mode },
    want: { encoded: false, pixels: false, cropped: false, tensor: false, [want]: true },
  };
}

async function decode(text: string | Buffer, signal: AbortSignal = new AbortController().signal) {
  const reply = await pool!.decode(jobOf(Buffer.from(text)), signal);
  if (reply.kind !== "pixels") throw new Error(reply.kind);
  const pid = Number(/pid (\d+)/.exec(Object.keys(reply.timings).join())?.[1]);
  return { ...reply, first: reply.pixels.data[0], pid };
}

describe("a picture that", () => {
  test.each([
    ["crashes the decoder", "crash"],
    ["ends it quietly", "exit"],
  ])("%s fails alone, and another process takes its place", async (_, word) => {
    start();
    const { pid } = await decode("before");
    const neighbours = [decode(`${word} now`), decode("next"), decode("third")];
    const [bad, ...good] = await Promise.allSettled(neighbours);
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "DECODE_FAILED" } });
    expect(good.map((outcome) => outcome.status === "fulfilled" && outcome.value.first)).toEqual([4, 5]);
    expect(isRunning(pid)).toBe(false);
    expect(pool?.stats()).toEqual({ busy: 0, waiting: 0, killed: 0, died: 1 });
  });

  test.each([["hang"], ["wait"]])(
    "makes it %s is given up at the limit, its process killed",
    async (word) => {
      start({ timeoutMs: 400 });
      const { pid } = await decode("before");
      const started = performance.now();
      const [bad, good] = await Promise.allSettled([decode(`${word} now`), decode("next")]);
      expect(bad).toMatchObject({ status: "rejected", reason: { code: "DECODE_FAILED" } });
      expect(good.status).toBe("fulfilled");
      expect(performance.now() - started).toBeGreaterThan(390);
      await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
      expect(pool?.stats()).toMatchObject({ killed: 1, died: 0 });
    },
  );
});

test("answers stay with their pictures while two processes work", async () => {
  start({ processes: 2 });
  const texts = Array.from({ length: 40 }, (_, at) => "x".repeat(at + 1));
  const answers = await Promise.all(texts.map((text) => decode(text)));
  expect(answers.map(({ first }) => first)).toEqual(texts.map(({ length }) => length));
  expect(new Set(answers.map(({ pid }) => pid)).size).toBe(2);
});

test("the processes see nothing of the server's environment", async () => {
  start();
  process.env["ISOTORCH_TEST_SECRET"] = "secret";
  try {
    const { timings } = await decode("picture");
    expect(Object.keys(timings).join()).toMatch(/env /);
    expect(Object.keys(timings).join()).not.toContain("ISOTORCH_TEST_SECRET");
  } finally {
    delete process.env["ISOTORCH_TEST_SECRET"];
  }
});

test("an aborted picture that waited is gone at once, and one that is being read is ended", async () => {
  start();
  const { pid } = await decode("before");
  const [first, waiting] = [new AbortController(), new AbortController()];
  const slow = decode("wait now", first.signal);
  const second = decode("second", waiting.signal);
  waiting.abort();
  expect(await codeOf(second)).toBe("ABORTED");
  expect(pool?.stats()).toMatchObject({ busy: 1, waiting: 0 });
  first.abort();
  expect(await codeOf(slow)).toBe("ABORTED");
  expect(pool?.stats()).toMatchObject({ busy: 0, killed: 1 });
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
  expect((await decode("next")).first).toBe(4);
});

describe("a decoder that is killed from outside", () => {
  test("costs no picture: it is read once more", async () => {
    start();
    const { pid } = await decode("before");
    const reading = decode("wait-once now");
    process.kill(pid, "SIGKILL");
    const { first, pid: second } = await reading;
    expect([first, second === pid]).toEqual(["wait-once".length, false]);
    expect(pool?.stats()).toMatchObject({ died: 1, killed: 0 });
  });

  test("twice blames nobody's picture", async () => {
    start();
    await decode("before");
    expect(await codeOf(decode("killed now"))).toBe("WORKER_DIED");
    expect(pool?.stats()).toMatchObject({ died: 2 });
    expect((await decode("next")).first).toBe(4);
  });
});

test("so many wait and no more; closing fails them and leaves no process", async () => {
  start({ maxWaiting: 2 });
  const { pid } = await decode("before");
  const open = [decode("wait now"), decode("a"), decode("b")].map((promise) => codeOf(promise));
  expect(await codeOf(decode("c"))).toBe("QUEUE_FULL");
  await pool?.close();
  expect(await Promise.all(open)).toEqual(["CLOSED", "CLOSED", "CLOSED"]);
  expect(isRunning(pid)).toBe(false);
  expect(await codeOf(decode("after"))).toBe("CLOSED");
});

describe("the real decoder", () => {
  test("crops as the network sees it, or hands over the whole picture", async () => {
    start({ script: DECODER });
    const signal = new AbortController().signal;
    const crop = await pool!.decode(jobOf(JPEG), signal);
    const whole = await pool!.decode(jobOf(JPEG, "pixels"), signal);
    expect(crop).toMatchObject({ kind: "pixels", pixels: { width: 224, height: 224 } });
    expect(whole.kind === "pixels" && whole.pixels.data.length).toBe(
      whole.kind === "pixels" && whole.pixels.width * whole.pixels.height * 3,
    );
  });

  test("leaves to Pillow what only Pillow reads, and damage", async () => {
    start({ script: DECODER });
    const signal = new AbortController().signal;
    expect(await pool!.decode(jobOf(BMP), signal)).toEqual({ kind: "pillow" });
    const cut = WEBP.subarray(0, WEBP.length >> 1);
    expect(await pool!.decode(jobOf(cut), signal)).toEqual({ kind: "pillow" });
    expect(await pool!.decode(jobOf(cut, "cropped", "strict"), signal)).toEqual({ kind: "pillow" });
  });
});
