/** Ctrl-C while a command waits for something slow: it ends soon, keeps what it has, and says so. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tryLock } from "../../src/base/files/lock.ts";
import { ended, ofTest } from "../processes.ts";
import type { Ended } from "../processes.ts";
import { PYTHON } from "../python.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const IMAGE = fileURLToPath(new URL("../../examples/images/dog.webp", import.meta.url));
const FILE = "resnet101-63fe2227.pth";
const SOON_MS = 25_000;
/** Before that, Ctrl-C ends Node itself. */
const TELLS =
  'data:text/javascript,process.on("newListener",(name)=>name==="SIGINT"&&console.error("It hears Ctrl-C."))';

let folder: string;
let server: Server;
let asked: number;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "interrupted-test-"));
  asked = 0;
  server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(200, { "content-length": 170_000_000, etag: '"1"' });
    const timer = setInterval(() => response.write(Buffer.alloc(400)), 50);
    response.once("close", () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

function start(...args: readonly string[]): ChildProcess {
  const { ISOTORCH_OFFLINE: _, ...env } = process.env;
  const { port } = server.address() as AddressInfo;
  const child = spawn(process.execPath, ["--import", TELLS, MAIN, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...env, ISOTORCH_WEIGHTS_URL: `http://127.0.0.1:${port}`, TORCH_HOME: folder },
  });
  return ofTest(child);
}

/** Sends Ctrl-C. A command that does not hear it is ended after 30 s, with the same exit code. */
async function interrupted(child: ChildProcess): Promise<Ended> {
  const ending = ended(child);
  const sent = performance.now();
  child.kill("SIGINT");
  const result = await ending;
  expect(performance.now() - sent).toBeLessThan(SOON_MS);
  return result;
}

const checkpoints = (): string => join(folder, "hub/checkpoints");

test.each([
  ["models", "pull", "IMAGENET1K_V1"],
  ["classify", IMAGE, "--python", PYTHON],
  ["serve", "--port", "0", "--python", PYTHON],
])("%s ends, and keeps what it has of the checkpoint", async (...args) => {
  const child = start(...args);
  const part = join(checkpoints(), `${FILE}.part`);
  await expect.poll(() => existsSync(part) && statSync(part).size).toBeGreaterThan(0);
  const { code, stderr } = await interrupted(child);
  expect({ code, stderr }).toMatchObject({ code: 130, stderr: expect.stringMatching(/kept/) as string });
  expect(readdirSync(checkpoints()).toSorted()).toEqual([`${FILE}.part`, `${FILE}.part.json`]);
});

test("models pull ends while it waits for somebody else's download", async () => {
  const child = start("models", "pull", "IMAGENET1K_V1", "--cache-dir", folder);
  const lock = join(folder, `${FILE}.lock`);
  await expect.poll(() => asked).toBe(1);
  const second = start("models", "pull", "IMAGENET1K_V1", "--cache-dir", folder);
  await once(second.stderr ?? second, "data");
  // Whether it waits cannot be seen; that it has not asked the server can.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect((await interrupted(second)).code).toBe(130);
  expect(asked).toBe(1);
  expect(readFileSync(lock, "utf8")).toContain(String(child.pid));
  expect((await interrupted(child)).code).toBe(130);
  expect(await tryLock(lock)).toBeDefined();
});

test("preprocess ends while no more comes on stdin", async () => {
  const child = start("preprocess", "-", "--out", join(folder, "never.npy"), "--python", PYTHON);
  // More than a pipe holds: it is gone when it is being read.
  const begun = new Promise((resolve) => child.stdin?.write(Buffer.alloc(1_000_000, 255), resolve));
  await begun;
  expect((await interrupted(child)).code).toBe(130);
  expect(existsSync(join(folder, "never.npy"))).toBe(false);
});

test("making an untrained network ends, and the next one sweeps what it had begun", async () => {
  const out = join(folder, "u.pth");
  const child = start("models", "make", "--out", out, "--python", PYTHON);
  await expect.poll(() => existsSync(`${out}.lock`)).toBe(true);
  expect((await interrupted(child)).code).toBe(130);
  await (await tryLock(`${out}.lock`))?.release();
  expect(existsSync(out)).toBe(false);
});
