/** Encoded pictures at a real worker, around a tiny network: whatever they do to their decoder, all other calls go on. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DEFAULT_POLICY } from "../../src/worker/supervision/policy.ts";
import { Supervisor } from "../../src/worker/supervisor.ts";
import { codeOf } from "../failure.ts";
import { PYTHON } from "../python.ts";
import { stubSession } from "./stub.ts";

const WORKER = fileURLToPath(new URL("../python/odd_worker.py", import.meta.url));
let supervisor: Supervisor;

beforeAll(async () => {
  supervisor = await Supervisor.start({
    policy: DEFAULT_POLICY,
    session: (generation) => ({
      ...stubSession(generation),
      command: { python: PYTHON, args: ["-u", WORKER], variables: {} },
      timeouts: { helloMs: 120_000, readyMs: 120_000 },
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
function word(text: string, { signal, deadlineMs }: Asked = {}): Promise<unknown> {
  const data = Buffer.from(text);
  return supervisor.request(
    "classify",
    { handoff: "encoded", topK: 1, include: [], maxPixels: 1_000, deadlineMs: deadlineMs ?? null },
    [{ name: "encoded", dtype: "|u1", shape: [data.byteLength], data }],
    signal === undefined ? {} : { signal },
  );
}

function tensor(): Promise<unknown> {
  const data = new Uint8Array(3 * 8 * 8 * 4);
  return supervisor.request(
    "classify",
    { handoff: "tensor", topK: 1, include: [], maxPixels: 1, deadlineMs: null },
    [{ name: "tensor", dtype: "<f4", shape: [1, 3, 8, 8], data }],
  );
}

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
