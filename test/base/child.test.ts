import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { Child } from "../../src/base/child.ts";
import type { ChildOptions, Talk } from "../../src/base/child.ts";
import { isRunning } from "../processes.ts";

const IGNORES_SIGTERM = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);";
/** A child that starts one of its own, tells its number, and stays. */
const PARENT = `
  const { spawn } = require("node:child_process");
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  console.log(child.pid);
`;

function node<T extends Talk>(talk: T, script: string, options?: ChildOptions): Child<T> {
  return Child.start(talk, process.execPath, ["-e", script], options);
}

async function firstLine(child: Child<"output" | "pipes">): Promise<string> {
  const [chunk] = (await once(child.stdout, "data")) as [Buffer];
  return chunk.toString().trim();
}

async function isGone(pid: number): Promise<boolean> {
  for (let left = 100; left > 0 && isRunning(pid); left -= 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
  return !isRunning(pid);
}

test("a program that does not exist is told by its end, not thrown", async () => {
  const child = Child.start("pipes", "/nowhere/program", []);
  expect(await child.closed).toMatchObject({
    code: null,
    signal: null,
    error: { message: expect.stringContaining("ENOENT") },
  });
  child.stdin.write("nobody reads this");
  child.kill();
});

test("words that no program can be given are thrown", () => {
  expect(() => Child.start("output", process.execPath, ["\0"])).toThrow("null bytes");
});

test("its end comes with its last words, of an endless line the last 64 KiB", async () => {
  const child = node(
    "output",
    "process.stderr.write('x'.repeat(300_000) + 'the end', () => process.exit(3))",
  );
  expect(await child.closed).toEqual({ code: 3, signal: null });
  expect(child.words.bytes).toHaveLength(64 * 1024);
  expect(child.words.text.endsWith("the end")).toBe(true);
});

test("one that ignores SIGTERM is killed after its grace", async () => {
  const child = node("output", `${IGNORES_SIGTERM} console.log("ready")`);
  await firstLine(child);
  expect(await child.end("SIGTERM", 100)).toEqual({ code: null, signal: "SIGKILL" });
});

test("one that is asked in its own way ends by itself", async () => {
  const child = node("pipes", "process.stdin.on('end', () => process.exit(7)).resume()");
  expect(await child.end(() => child.stdin.end(), 60_000)).toEqual({ code: 7, signal: null });
});

test.runIf(process.platform !== "win32")("its descendants end with it", async () => {
  const killed = node("output", `${PARENT} setInterval(() => {}, 1000);`);
  const first = Number(await firstLine(killed));
  killed.kill();
  await killed.closed;
  expect(await isGone(first)).toBe(true);

  const ended = node("output", `${PARENT} process.exit();`);
  const second = Number(await firstLine(ended));
  await ended.closed;
  expect(await isGone(second)).toBe(true);
});

test.runIf(process.platform !== "win32")("a daemon stays where that is wanted", async () => {
  const child = node("output", `${PARENT} child.unref();`, { leavesDaemons: true });
  const pid = Number(await firstLine(child));
  await child.closed;
  expect(isRunning(pid)).toBe(true);
  process.kill(pid, "SIGKILL");
});

test.runIf(process.platform !== "win32")("whoever holds its pipes is not waited for", async () => {
  const script = `
    const { spawn } = require("node:child_process");
    const child = spawn("sleep", ["60"], { stdio: "inherit", detached: true });
    console.log(child.pid);
    process.exit();
  `;
  const child = node("output", script);
  const pid = Number(await firstLine(child));
  expect(await child.closed).toEqual({ code: 0, signal: null });
  process.kill(pid, "SIGKILL");
});

test("a signal that fires kills it, also one that has fired", async () => {
  const controller = new AbortController();
  const child = node("output", IGNORES_SIGTERM, { signal: controller.signal });
  controller.abort();
  expect(await child.closed).toEqual({ code: null, signal: "SIGKILL" });
  const late = node("output", IGNORES_SIGTERM, { signal: controller.signal });
  expect(await late.closed).toEqual({ code: null, signal: "SIGKILL" });
});

test("messages cross as structured clones, and what has ended hears none", async () => {
  const child = node("messages", "process.on('message', (given) => process.send(given))");
  const heard = new Promise((resolve) => child.onMessage(resolve));
  child.send({ bytes: new Uint8Array([1, 2]) });
  expect(await heard).toEqual({ bytes: new Uint8Array([1, 2]) });
  child.kill();
  await child.exited;
  child.send({});
});

test("without a hold Node ends, and takes the child along", async () => {
  const folder = mkdtempSync(join(tmpdir(), "child-test-"));
  const module = new URL("../../dist/base/child.js", import.meta.url).href;
  const script = `
    import { Child } from ${JSON.stringify(module)};
    const child = Child.start("pipes", process.execPath, ["-e", "setInterval(() => {}, 1000); console.log(1)"]);
    child.stdout.once("data", () => { console.log(child.pid); child.hold(false); });
  `;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [chunk] = (await once(parent.stdout, "data")) as [Buffer];
  if (parent.exitCode === null) await once(parent, "exit");
  expect(parent.exitCode).toBe(0);
  expect(await isGone(Number(chunk.toString()))).toBe(true);
  rmSync(folder, { recursive: true });
});
