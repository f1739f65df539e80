/** One lock, two languages: each holder against each taker. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, rmdir, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { STALE_LOCK_MS, tryLock } from "../../../src/base/files/lock.ts";
import { end } from "../../processes.ts";
import { PYTHON } from "../../python.ts";

const PYTHON_FOLDER = fileURLToPath(new URL("../../../python", import.meta.url));
const LOCK = new URL("../../../dist/base/files/lock.js", import.meta.url).href;

let root = "";
let file = "";
const children: ChildProcess[] = [];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lock-"));
  file = join(root, "a.lock");
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => end(child)));
  await rm(root, { recursive: true, force: true });
});

/** A process that tries to take the lock, says what came of it, and lets go when its stdin ends. */
const TAKERS: Readonly<Record<"node" | "python", () => ChildProcess>> = {
  node: () =>
    start(process.execPath, "--input-type=module", "-e", [
      `import { tryLock } from ${JSON.stringify(LOCK)};`,
      "const lock = await tryLock(process.argv[1]);",
      'console.log(lock ? "taken" : "refused");',
      'process.stdin.resume().once("end", () => lock?.release());',
    ]),
  python: () =>
    start(PYTHON, "-I", "-c", [
      `import sys; sys.path.insert(0, ${JSON.stringify(PYTHON_FOLDER)})`,
      "from pathlib import Path",
      "from isotorch_worker.base.lock import try_lock",
      "lock = try_lock(Path(sys.argv[1]))",
      'print("taken" if lock else "refused", flush=True)',
      "sys.stdin.read()",
      "lock and lock.release()",
    ]),
};

function start(program: string, ...words: [...string[], string[]]): ChildProcess {
  const script = words.pop() as unknown as string[];
  const child = spawn(program, [...(words as string[]), script.join("\n"), file], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  return child;
}

async function said(child: ChildProcess): Promise<string> {
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  return String(line).trim();
}

/** Lets the lock go: what the process does when its stdin ends. */
async function release(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  child.stdin?.end();
  await closed;
}

/** As it is when its owner took it a while ago, and has touched it less than a minute ago. */
async function age(seconds: number): Promise<void> {
  const then = new Date(Date.now() - 1000 * seconds);
  await utimes(file, then, then);
}

async function content(): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
}

async function write(value: object): Promise<void> {
  await writeFile(file, JSON.stringify(value));
}

// What tells a stopped owner from one that is gone, and one container from another, is Linux's.
describe.skipIf(process.platform !== "linux").each(["node", "python"] as const)("%s holds it", (holder) => {
  test.each(["node", "python"] as const)("%s is refused, and takes it when it is free", async (taker) => {
    const owner = TAKERS[holder]();
    expect(await said(owner)).toBe("taken");
    await age(30);
    const second = TAKERS[taker]();
    expect(await said(second)).toBe("refused");
    await release(second);
    expect(existsSync(file)).toBe(true);
    await release(owner);
    expect(existsSync(file)).toBe(false);
    const third = TAKERS[taker]();
    expect(await said(third)).toBe("taken");
  });

  test.each(["node", "python"] as const)("%s sweeps it when its owner was killed", async (taker) => {
    const owner = TAKERS[holder]();
    expect(await said(owner)).toBe("taken");
    await end(owner);
    expect(existsSync(file)).toBe(true);
    expect(await said(TAKERS[taker]())).toBe("taken");
  });

  test.each(["node", "python"] as const)("%s leaves it to an owner that is stopped", async (taker) => {
    const owner = TAKERS[holder]();
    expect(await said(owner)).toBe("taken");
    owner.kill("SIGSTOP");
    await age(STALE_LOCK_MS / 1000 + 1);
    expect(await said(TAKERS[taker]())).toBe("refused");
    owner.kill("SIGCONT");
    await release(owner);
    expect(existsSync(file)).toBe(false);
  });

  test.each(["node", "python"] as const)("%s tells its owner from another of its number", async (taker) => {
    const owner = TAKERS[holder]();
    expect(await said(owner)).toBe("taken");
    await write({ ...(await content()), started: "1" });
    expect(await said(TAKERS[taker]())).toBe("taken");
  });

  test.each(["node", "python"] as const)(
    "%s does not take the number of another container for that of its owner",
    async (taker) => {
      const owner = TAKERS[holder]();
      expect(await said(owner)).toBe("taken");
      const before = await content();
      await end(owner);
      for (const elsewhere of [{ space: "pid:[1]" }, { boot: "another start of the machine" }]) {
        await write({ ...before, ...elsewhere });
        expect(await said(TAKERS[taker]())).toBe("refused");
      }
      await age(STALE_LOCK_MS / 1000 + 1);
      expect(await said(TAKERS[taker]())).toBe("taken");
    },
  );
});

test("of another machine's lock only its age tells, and of an empty one too", async () => {
  for (const left of [JSON.stringify({ pid: 1, host: "another machine", token: "t" }), ""]) {
    await writeFile(file, left);
    expect(await tryLock(file)).toBeUndefined();
    await age(STALE_LOCK_MS / 1000 + 1);
    const lock = await tryLock(file);
    expect(lock).toBeDefined();
    await lock?.release();
    await lock?.release();
    expect(existsSync(file)).toBe(false);
  }
});

test("what cannot be read or removed in its place is no lock for ever", async () => {
  await mkdir(file);
  expect(await tryLock(file)).toBeUndefined();
  await age(STALE_LOCK_MS / 1000 + 1);
  await expect(tryLock(file)).rejects.toThrow(/lock/);
  await rmdir(file);
});

test("a process that is gone holds nothing", async () => {
  const gone = TAKERS.node();
  expect(await said(gone)).toBe("taken");
  await end(gone);
  expect(await tryLock(file)).toBeDefined();
});

test("whoever lost it knows, touches it no more and leaves it to the next owner", async () => {
  const lock = await tryLock(file);
  expect(lock?.isMine()).toBe(true);
  await rm(file);
  expect(lock?.isMine()).toBe(false);
  const next = await tryLock(file);
  await lock?.release();
  expect(next?.isMine()).toBe(true);
  await next?.release();
  expect(existsSync(file)).toBe(false);
});
