/** What a real worker shows to other users of the machine, and what errors and logs show to everybody. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { inspect } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Router } from "zeromq";
import { IsotorchError } from "../../src/base/errors.ts";
import { Channel } from "../../src/worker/channel.ts";
import type { Invitation } from "../../src/worker/channel.ts";
import { WORKER_SCRIPT } from "../../src/python/script.ts";
import type { Session } from "../../src/worker/session.ts";
import { startWorker } from "../../src/worker/open.ts";
import type { WorkerStart } from "../../src/worker/open.ts";
import { PYTHON } from "../python.ts";
import { stubSession } from "../worker/stub.ts";

const linux = process.platform === "linux";

const invitations: Invitation[] = [];
const openChannel = Channel.open.bind(Channel);
vi.spyOn(Channel, "open").mockImplementation(async (options) => {
  const channel = await openChannel(options);
  invitations.push(channel.invitation);
  return channel;
});
const sessions: Session[] = [];
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.kill()));
  invitations.length = 0;
});

const invitation = (): Invitation => {
  const [first] = invitations;
  if (first === undefined) throw new Error("no channel was opened");
  return first;
};

/** Every spelling of what nobody may see. */
function secrets(): string[] {
  const { secret, endpoint } = invitation();
  const path = endpoint.replace("ipc://", "");
  return [secret, Buffer.from(secret, "hex").toString("latin1"), endpoint, path, dirname(path)];
}

async function start(options: WorkerStart): Promise<Session> {
  const session = await startWorker(options);
  sessions.push(session);
  return session;
}

/** The real worker, without a network: Python, zmq, and the start-up line behind it. */
const real = (onLog: WorkerStart["onLog"] = () => undefined): WorkerStart => ({
  ...stubSession(1),
  command: { python: PYTHON, args: ["-I", "-u", WORKER_SCRIPT, "serve"], variables: {} },
  load: null,
  onLog,
});

describe.runIf(linux)("a worker shows the secret to nobody:", () => {
  test("neither in its arguments nor in its environment", async () => {
    const { pid } = await start(real());
    for (const file of ["cmdline", "environ"]) {
      const text = readFileSync(`/proc/${pid}/${file}`, "latin1");
      expect(text.length).toBeGreaterThan(0);
      for (const secret of secrets()) expect(text, file).not.toContain(secret);
    }
  });

  test("nor do the files that it has open name it", async () => {
    const { pid } = await start(real());
    const targets = readdirSync(`/proc/${pid}/fd`).map((fd) =>
      execFileSync("readlink", [`/proc/${pid}/fd/${fd}`], { encoding: "utf8" }),
    );
    for (const secret of secrets()) expect(targets.join("\n")).not.toContain(secret);
  });

  // The line as it was read stays in freed memory.
  test("and has forgotten it when it could be asked to load a checkpoint", async () => {
    const { pid } = await start(real());
    const { secret } = invitation();
    expect(pid === undefined ? [] : findInMemory(pid, Buffer.from(secret, "latin1"))).toEqual([]);
  });

  test("not even as bytes", async () => {
    const { pid } = await start(real());
    const { secret } = invitation();
    expect(pid === undefined ? [] : findInMemory(pid, Buffer.from(secret, "hex"))).toEqual([]);
  });

  test("a search of memory finds what is there", async () => {
    const { pid } = await start(real());
    expect(pid === undefined ? [] : findInMemory(pid, Buffer.from("isotorch_worker"))).not.toEqual([]);
  });
});

/** Where in a process's memory these bytes are. */
function findInMemory(pid: number, bytes: Buffer): string[] {
  const found: string[] = [];
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, "utf8").trim().split("\n")) {
      const [, from = "", to = "", mode = "", name = ""] =
        /^(\w+)-(\w+) (\S+) \S+ \S+ \S+\s*(.*)$/.exec(line) ?? [];
      if (!mode.startsWith("r") || name.startsWith("[v")) continue;
      const at = BigInt(`0x${from}`);
      const region = Buffer.alloc(Number(BigInt(`0x${to}`) - at));
      try {
        readSync(memory, region, 0, region.length, at as unknown as number);
      } catch {
        continue; // a guard page
      }
      if (region.includes(bytes)) found.push(`${line}: ${region.indexOf(bytes)}`);
    }
  } finally {
    closeSync(memory);
  }
  return found;
}

describe("an error of a failed start shows neither secret nor socket:", () => {
  const faults: [string, () => WorkerStart][] = [
    ["no interpreter", () => command("/nowhere/python3")],
    ["no module", () => command(PYTHON, "-c", "import nothing_of_that_name")],
    ["an interpreter that is none", () => command("/bin/false")],
    ["a worker that says nothing", () => ({ ...stub("silent"), timeouts: { helloMs: 300, readyMs: 300 } })],
    [
      "a worker with another secret",
      () => ({ ...stub("wrong-secret"), timeouts: { helloMs: 900, readyMs: 300 } }),
    ],
    ["another protocol", () => stub("protocol-3")],
    ["a checkpoint that is refused", () => stub("refuses-load")],
    ["a checkpoint that is not there", () => ({ ...real(), load: stubSession(1).load })],
    ["a bad command line", () => command(PYTHON, "-I", "-u", WORKER_SCRIPT, "dance")],
    [
      "a worker that cannot read its start-up line",
      () => command(PYTHON, "-I", "-c", `import json, sys; json.loads("{" + sys.stdin.readline())`),
    ],
  ];

  test.each(faults)("%s", async (_, make) => {
    const logged: string[] = [];
    const options = {
      ...make(),
      onLog: (level: string, message: string) => logged.push(`${level} ${message}`),
    };
    const error: unknown = await start(options).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(IsotorchError);
    expectNothingIn([everythingOf(error), ...logged]);
  });

  // The error of zeromq has the endpoint as its `address`, and is kept as the cause.
  test("a socket that cannot be bound", async () => {
    const error = await unbindable();
    expect(everythingOf(error)).not.toMatch(/ipc:|isotorch-\d/);
  });

  test("a socket that cannot be bound, in its message and its hint", async () => {
    const error = await unbindable();
    expect(error.code).toBe("WORKER_START_FAILED");
    expect(JSON.stringify(error)).not.toMatch(/ipc:|isotorch-\d/);
  });
});

/** Opens a channel whose endpoint is below a file that is not there. */
async function unbindable(): Promise<IsotorchError> {
  const inherited = Object.getPrototypeOf(Router.prototype) as Router;
  Object.defineProperty(Router.prototype, "bind", {
    configurable: true,
    value(this: Router, endpoint: string) {
      return inherited.bind.call(this, `${endpoint}/below`);
    },
  });
  try {
    await openChannel(1);
  } catch (error) {
    if (error instanceof IsotorchError) return error;
  } finally {
    Reflect.deleteProperty(Router.prototype, "bind");
  }
  throw new Error("it could be bound");
}

describe("what happens later shows nothing either:", () => {
  test("the death of a worker, garbage, and an error of one request", async () => {
    const logged: string[] = [];
    const texts: string[] = [];
    for (const fault of ["garbage", "error", "segfault", "traceback"]) {
      const onLog = (level: string, message: string): number => logged.push(`${level} ${message}`);
      const session = await start({ ...stub(fault), onLog });
      const data = new TextEncoder().encode("picture");
      const frame = { name: "encoded", dtype: "|u1", shape: [data.byteLength], data } as const;
      const fields = {
        handoff: "encoded" as const,
        topK: 1,
        activation: "softmax" as const,
        include: [],
        maxPixels: 1,
        deadlineMs: null,
        following: 0,
      };
      const outcome: unknown = await session
        .request({ type: "classify", fields, frames: [frame] }, 2, () => undefined)
        .catch((error: unknown) => error);
      texts.push(everythingOf(outcome));
      expectNothingIn([...texts, ...logged]);
      await session.kill();
      invitations.length = 0;
    }
    expect(logged.length).toBeGreaterThan(0);
  });

  test("and a session that is printed whole", async () => {
    const session = await start(stub("none"));
    expectNothingIn([inspect(session, { depth: 9, showHidden: true }), JSON.stringify(session)]);
  });
});

function expectNothingIn(texts: readonly string[]): void {
  for (const text of texts) for (const secret of secrets()) expect(text).not.toContain(secret);
}

/** All that a logger could print of an error: its properties, its causes and theirs. */
function everythingOf(error: unknown): string {
  return `${inspect(error, { depth: 9, showHidden: true })} ${JSON.stringify(error)}`;
}

function stub(fault: string): WorkerStart {
  return stubSession(1, { fault });
}

function command(python: string, ...args: string[]): WorkerStart {
  return { ...stubSession(1), command: { python, args, variables: {} } };
}
