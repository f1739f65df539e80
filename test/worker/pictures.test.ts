/** Encoded pictures at a real worker, around a tiny network: whatever they do to their decoder, all other calls go on. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DEFAULT_POLICY } from "../../src/worker/supervision/policy.ts";
import { Supervisor } from "../../src/worker/supervisor.ts";
import { codeOf, failureOf } from "../failure.ts";
import { PYTHON } from "../python.ts";
import { startWorker } from "../../src/worker/open.ts";
import type { Reply } from "../../src/tasks/task.ts";
import type { Picture } from "../../src/tasks/classify.ts";
import { callOf, stubSession } from "./stub.ts";

const WORKER = fileURLToPath(new URL("../python/odd_worker.py", import.meta.url));
let supervisor: Supervisor;

beforeAll(async () => {
  supervisor = await Supervisor.start({
    policy: DEFAULT_POLICY,
    start: ({ generation, signal, onProgress, onExit }) =>
      startWorker({
        ...stubSession(generation),
        command: { python: PYTHON, args: ["-u", WORKER], variables: {} },
        timeouts: { helloMs: 120_000, readyMs: 120_000 },
        signal,
        onProgress,
        onExit,
      }),
    onPhase: () => undefined,
  });
});
afterAll(() => supervisor.close(0));

interface Asked {
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
}

/** A picture that is a word: `test/python/odd_pictures.py` says what it does. */
function word(text: string, asked: Asked = {}): Promise<unknown> {
  return classified({ handoff: "encoded", bytes: Buffer.from(text) }, asked);
}

const GREY: Picture = {
  handoff: "tensor",
  tensor: { data: new Float32Array(3 * 8 * 8), shape: [1, 3, 8, 8] },
};

function tensor(): Promise<unknown> {
  return classified(GREY);
}

async function classified(picture: Picture, asked: Asked = {}): Promise<Reply[]> {
  const replies: Reply[] = [];
  const call = callOf({ picture, topK: 1, activation: "softmax", include: [], maxPixels: 1_000 });
  await supervisor.run(call, (reply) => replies.push(reply), asked);
  return replies;
}

test("more classes than the network has, sent past every check, cost that call alone", async () => {
  const input = {
    picture: GREY,
    topK: 1_000_001,
    activation: "softmax" as const,
    include: [],
    maxPixels: 1_000,
  };
  const beside = [tensor(), tensor()];
  const error = await failureOf(supervisor.run(callOf(input), () => undefined));
  expect(error.code).toBe("PROTOCOL_ERROR");
  expect(error.message).toContain("1000001");
  await Promise.all([...beside, tensor()]);
  expect(supervisor.health().starts).toBe(1);
});

test("thirty pictures without end hold up no tensor, and once nobody waits for them no other picture", async () => {
  const waiting = Array.from({ length: 30 }, () => new AbortController());
  const slow = waiting.map(({ signal }) => codeOf(word("sleep", { signal })));
  for (let count = 0; count < 20; count += 1) await tensor();
  for (const one of waiting) one.abort();
  expect(new Set(await Promise.all(slow))).toEqual(new Set(["ABORTED"]));
  await word("print");
  await expect.poll(() => supervisor.health().inFlight).toBe(0);
  expect(supervisor.health().starts).toBe(1);
});

test("a deadline ends the work of its picture alone", async () => {
  const late = codeOf(word("sleep", { deadlineMs: 500 }));
  await tensor();
  expect(await late).toBe("DEADLINE_EXCEEDED");
  await word("print");
  expect(supervisor.health().starts).toBe(1);
});

test("crashes and a lack of memory cost their picture, and no worker", async () => {
  const [crash, killed, memory] = ["crash", "killed", "memory"].map((text) => codeOf(word(text)));
  await tensor();
  expect(await crash).toBe("DECODE_FAILED");
  expect(await killed).toBe("OUT_OF_MEMORY");
  expect(await memory).toBe("OUT_OF_MEMORY");
  expect(supervisor.health().starts).toBe(1);
});
