import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { IsotorchError } from "../../src/base/errors.ts";
import { decode, encode } from "../../src/protocol/wire.ts";
import type { Message } from "../../src/protocol/wire.ts";
import { Random } from "../image/random.ts";

const FOLDER = fileURLToPath(new URL("../fixtures/wire/", import.meta.url));

interface Golden {
  readonly file: string;
  readonly type: string;
  readonly id: number;
  readonly generation: number;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly frames: readonly { name: string; dtype: string; shape: number[]; hex: string }[];
}

const GOLDEN = JSON.parse(readFileSync(`${FOLDER}golden.json`, "utf8")) as Golden[];
const BAD = JSON.parse(readFileSync(`${FOLDER}bad.json`, "utf8")) as { file: string; reason: string }[];

/** The frames in a fixture: each has its length as u32, little-endian, before it. */
function framesIn(file: string): Uint8Array[] {
  const bytes = readFileSync(`${FOLDER}${file}`);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32LE(at);
    frames.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return frames;
}

function outcomeOf(frames: readonly Uint8Array[]): "a message" | "a protocol error" {
  try {
    decode(frames);
    return "a message";
  } catch (error) {
    if (error instanceof IsotorchError && error.code === "PROTOCOL_ERROR") return "a protocol error";
    throw error;
  }
}

describe("malformed messages are protocol errors:", () => {
  test.each(BAD)("$reason", ({ file }) => {
    expect(outcomeOf(framesIn(file))).toBe("a protocol error");
  });

  test("20,000 random mutations are a message or a protocol error, never anything else", () => {
    const random = new Random(7);
    const below = (limit: number): number => random.integer(0, Math.max(0, limit - 1));
    const seeds = GOLDEN.map(({ file }) => framesIn(file));
    let messages = 0;
    for (let round = 0; round < 20_000; round++) {
      const frames = (seeds[below(seeds.length)] ?? []).map((frame) => Uint8Array.from(frame));
      mutate(frames, below);
      if (outcomeOf(frames) === "a message") messages += 1;
    }
    expect(messages).toBeLessThan(20_000);
  });
});

function mutate(frames: Uint8Array[], below: (limit: number) => number): void {
  const header = frames[0] ?? new Uint8Array();
  switch (below(5)) {
    case 0:
      header[below(header.length)] = below(256);
      return;
    case 1:
      frames[0] = header.subarray(0, below(header.length));
      return;
    case 2:
      frames.push(new Uint8Array(below(9)));
      return;
    case 3:
      frames.length = below(frames.length + 1);
      return;
    default:
      frames[0] = Uint8Array.from({ length: below(64) }, () => below(256));
  }
}

describe("golden bytes, the same for both languages:", () => {
  test.each(GOLDEN)("$file is read", ({ file, frames, ...expected }) => {
    const { frames: actual, ...message } = decode(framesIn(file));
    expect(message).toEqual(expected);
    const shown = actual.map(({ data, ...frame }) => ({ ...frame, hex: Buffer.from(data).toString("hex") }));
    expect(shown).toEqual(frames);
  });

  test.each(GOLDEN)("$file is written", ({ file, frames, ...message }) => {
    const payloads = frames.map(({ hex, ...frame }) => ({ ...frame, data: Buffer.from(hex, "hex") }));
    const written = encode({ ...message, frames: payloads } as unknown as Message);
    expect(written.map((frame) => Buffer.from(frame).toString("hex"))).toEqual(
      framesIn(file).map((frame) => Buffer.from(frame).toString("hex")),
    );
  });
});
