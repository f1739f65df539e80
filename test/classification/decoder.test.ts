/** Pictures without a network, by one worker that many calls share. */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { specOf } from "../../src/checkpoints/table.ts";
import { Decoder } from "../../src/classification/decoder.ts";
import { resolveClassifyOptions } from "../../src/classification/options.ts";
import { codeOf } from "../failure.ts";
import { BMP } from "../image/bmp.ts";
import { PYTHON } from "../python.ts";

const decoder = await Decoder.start(specOf("IMAGENET1K_V1"), { python: PYTHON });
afterAll(() => decoder.close());
const call = resolveClassifyOptions({ timeoutMs: 0 });
const made = (signal: AbortSignal = new AbortController().signal) => decoder.tensorOf(BMP, call, signal);

/** The worker: this process's only child that serves. */
function workerPid(): number {
  const serving = readdirSync("/proc").find((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      return parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("\0serve");
    } catch {
      return false;
    }
  });
  return Number(serving);
}

test("sixty pictures at once wait for their turn, and all are answered", async () => {
  const answers = await Promise.all(Array.from({ length: 60 }, () => made()));
  expect(answers.every(({ by, tensor }) => by === "worker" && tensor.data.length === 3 * 224 * 224)).toBe(
    true,
  );
});

describe.runIf(process.platform === "linux")("a worker that", () => {
  test("was killed from outside is replaced, and no call is lost", async () => {
    const before = workerPid();
    process.kill(before, "SIGKILL");
    expect((await made()).by).toBe("worker");
    expect(workerPid()).not.toBe(before);
  });

  test("hangs is replaced once nobody waits any more, and the next call is answered", async () => {
    const before = workerPid();
    process.kill(before, "SIGSTOP");
    const waiting = new AbortController();
    const hung = made(waiting.signal);
    const code = codeOf(hung);
    setTimeout(() => waiting.abort(), 200);
    expect((await made()).by).toBe("worker");
    expect(workerPid()).not.toBe(before);
    expect(await code).not.toBe("none");
  });
});
