import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, describe, expect, test } from "vitest";
import { startWorker } from "../../src/worker/open.ts";
import type { WorkerStart } from "../../src/worker/open.ts";
import type { Session } from "../../src/worker/session.ts";
import type { Reply } from "../../src/tasks/task.ts";
import { floatsOf, frameOf } from "../../src/protocol/frames.ts";
import type { Frame } from "../../src/protocol/wire.ts";
import { failureOf } from "../failure.ts";
import { digest, pixelsOf, stubSession } from "./stub.ts";

const open: Session[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((session) => session.kill()));
});

async function start(fault: string, over: Partial<WorkerStart> = {}): Promise<Session> {
  const session = await startWorker({ ...stubSession(3, { fault }), ...over });
  open.push(session);
  return session;
}

function payload(text: string): Frame {
  const data = pixelsOf(text);
  return { name: "encoded", dtype: "|u1", shape: [data.byteLength], data };
}

let lastId = 1;
async function infer(session: Session, text: string): Promise<number | undefined> {
  const fields = {
    handoff: "encoded" as const,
    topK: 1,
    activation: "softmax" as const,
    include: [],
    maxPixels: 1,
    deadlineMs: null,
    following: 0,
  };
  lastId += 1;
  const replies: Reply[] = [];
  const request = { type: "classify", fields, frames: [payload(text)] } as const;
  await session.request(request, lastId, (reply) => replies.push(reply));
  return floatsOf(frameOf(replies[0] ?? { frames: [] }, "scores"))[0];
}

function socketDirectories(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`isotorch-${process.pid}-`));
}

describe("the start fails with a reason when", () => {
  test("the interpreter does not exist", async () => {
    const command = { python: "/nowhere/python3", args: [], variables: {} };
    const error = await failureOf(start("none", { command }));
    expect(error.code).toBe("WORKER_START_FAILED");
    expect(socketDirectories()).toEqual([]);
  });

  test("an import fails before the worker can speak", async () => {
    const error = await failureOf(start("exit-69-before-hello"));
    expect(error.code).toBe("ENVIRONMENT_BROKEN");
    expect(error.stderr).toContain("No module named 'torch'");
  });

  test("the worker says nothing: the phase is named", async () => {
    const error = await failureOf(start("silent", { timeouts: { helloMs: 300, readyMs: 300 } }));
    expect(error.code).toBe("WORKER_START_FAILED");
    expect(error.message).toContain("starting Python");
  });

  test.each([1, 3])("the worker speaks protocol %i: both versions are named", async (version) => {
    const error = await failureOf(start(`protocol-${version}`));
    expect(error.code).toBe("PROTOCOL_ERROR");
    expect(error.message).toContain(`the worker speaks ${version}, this controller speaks 2`);
  });

  test("the worker cannot prove the secret", async () => {
    const dropped: string[] = [];
    const error = await failureOf(
      start("wrong-secret", {
        timeouts: { helloMs: 1_000, readyMs: 1_000 },
        onLog: (_, message) => dropped.push(message),
      }),
    );
    expect(error.code).toBe("WORKER_START_FAILED");
    expect(dropped.join()).toContain("without proof");
  });

  test("the checkpoint is refused: code, hint and traceback are the worker's", async () => {
    const error = await failureOf(start("refuses-load"));
    expect(error).toMatchObject({ code: "CHECKPOINT_CORRUPT", hint: "Remove it." });
    expect(error.traceback).toContain("ValueError: bad");
  });

  test("the caller aborts", async () => {
    const error = await failureOf(start("silent", { signal: AbortSignal.timeout(200) }));
    expect(error.code).toBe("ABORTED");
    expect(socketDirectories()).toEqual([]);
  });
});

describe("while it runs", () => {
  test("each reply goes to its own request", async () => {
    const session = await start("none");
    const texts = Array.from({ length: 50 }, (_, index) => `picture ${index}`);
    expect(await Promise.all(texts.map((text) => infer(session, text)))).toEqual(texts.map(digest));
  });

  test("a crash fails every pending request with the last lines of stderr, and later ones at once", async () => {
    const session = await start("segfault");
    const errors = await Promise.all([failureOf(infer(session, "a")), failureOf(infer(session, "b"))]);
    for (const error of errors) {
      expect(error.code).toBe("WORKER_DIED");
      expect(error.message).toContain("SIGSEGV");
      expect(error.stderr).toContain("about to die");
    }
    expect((await failureOf(infer(session, "c"))).code).toBe("WORKER_DIED");
  });

  test("an uncaught Python exception arrives with its traceback", async () => {
    const session = await start("traceback");
    const error = await failureOf(infer(session, "a"));
    expect(error.code).toBe("WORKER_DIED");
    expect(error.traceback).toMatch(/^Traceback[\s\S]*boom in the worker/);
  });

  test("one failing request leaves the worker at work", async () => {
    const session = await start("error");
    const error = await failureOf(infer(session, "a"));
    expect(error).toMatchObject({ code: "WORKER_ERROR", message: "This one only." });
    expect(error.traceback).toContain("RuntimeError");
    expect(session.end).toBeUndefined();
  });

  test("garbage is dropped and counted, and the answer behind it arrives", async () => {
    const session = await start("garbage");
    expect(await infer(session, "a")).toBe(digest("a"));
    expect(session.dropped).toBeGreaterThan(0);
  });

  test("an answer that cannot be read ends its call, and no other", async () => {
    const session = await start("none");
    const error = await failureOf(infer(session, "fault:unreadable"));
    expect(error.code).toBe("PROTOCOL_ERROR");
    expect(await infer(session, "a")).toBe(digest("a"));
  });

  test("a flood on stdout does not block the worker", async () => {
    const session = await start("stdout-flood");
    expect(await infer(session, "a")).toBe(digest("a"));
  });

  test("a worker that is destroyed fails what it had", async () => {
    const session = await start("hang");
    const reply = failureOf(infer(session, "a"));
    session.destroy("it hangs");
    expect(await reply).toMatchObject({ code: "WORKER_DIED", message: "The worker was killed: it hangs." });
    expect((await session.exited).signal).toBe("SIGKILL");
  });

  test("it answers pings", async () => {
    const session = await start("none");
    const before = session.heardAt;
    session.ping();
    await expect.poll(() => session.heardAt).toBeGreaterThan(before);
  });
});

describe("close", () => {
  test("lets pending requests finish, is idempotent, and leaves nothing behind", async () => {
    const session = await start("none");
    const pid = session.pid ?? 0;
    const reply = infer(session, "last");
    await Promise.all([session.close(), session.close()]);
    expect(await reply).toBe(digest("last"));
    expect((await session.exited).code).toBe(0);
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    expect(socketDirectories()).toEqual([]);
    expect((await failureOf(infer(session, "late"))).code).toBe("CLOSED");
  });

  test("ends a worker that ignores being asked", { timeout: 20_000 }, async () => {
    const session = await start("ignores-stop");
    await session.close();
    expect((await session.exited).signal).toBe("SIGKILL");
  });
});
