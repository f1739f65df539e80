import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { IsotorchError } from "../../src/base/errors.ts";
import { decode } from "../../src/protocol/wire.ts";
import { Random } from "../image/random.ts";
import { PYTHON } from "../python.ts";
import { madeMessage } from "./made-messages.ts";

const SCRIPT = fileURLToPath(new URL("../fixtures/wire/verdicts.py", import.meta.url));
const COUNT = 20_000;

function isTaken(frames: readonly Uint8Array[]): boolean {
  try {
    decode(frames);
    return true;
  } catch (error) {
    if (error instanceof IsotorchError && error.code === "PROTOCOL_ERROR") return false;
    throw error;
  }
}

function number(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

test("both languages take and refuse the same of 20,000 messages, some sound and some not", () => {
  const random = new Random(14);
  const messages = Array.from({ length: COUNT }, () => madeMessage(random));
  const input = Buffer.concat(
    messages.flatMap((frames) => [
      number(frames.length),
      ...frames.flatMap((frame) => [number(frame.byteLength), frame]),
    ]),
  );
  const { stdout, stderr } = spawnSync(PYTHON, ["-I", SCRIPT], { input, maxBuffer: 64 * 1024 * 1024 });
  expect(stderr.toString()).toBe("");
  const theirs = [...stdout];
  const ours = messages.map((frames) => (isTaken(frames) ? 1 : 0));
  const parted = messages.flatMap((frames, index) =>
    ours[index] === theirs[index] ? [] : [`${ours[index]} here, ${theirs[index]} there: ${shown(frames)}`],
  );
  expect(theirs).toHaveLength(COUNT);
  expect(parted.slice(0, 5)).toEqual([]);
  const taken = theirs.filter((verdict) => verdict === 1).length;
  expect(taken).toBeGreaterThan(COUNT / 4);
  expect(taken).toBeLessThan((COUNT * 3) / 4);
});

function shown(frames: readonly Uint8Array[]): string {
  return frames.map((frame) => Buffer.from(frame).toString("latin1").slice(0, 300)).join(" + ");
}
