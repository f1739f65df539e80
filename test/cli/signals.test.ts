import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NETWORK } from "../checkpoint.ts";
import { ended, ofTest, processesWith } from "../processes.ts";
import { PYTHON } from "../python.ts";
import { STANDIN } from "../standin.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const IMAGE = fileURLToPath(new URL("../../examples/images/dog.webp", import.meta.url));

let temporary: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "signals-test-"));
});
afterEach(() => {
  rmSync(temporary, { recursive: true, force: true });
});

/** More than are answered before a signal comes, however late that is on a busy machine. */
const MANY = 5_000;

/** `isotorch classify` over the same picture again and again, with a temporary directory of its own. */
function classifyMany(python: unknown = PYTHON, count = MANY): ChildProcess {
  return classify(python, ...Array.from({ length: count }, () => IMAGE));
}

function classify(python: unknown, ...args: readonly string[]): ChildProcess {
  // However busy the machine is, what was begun is answered.
  const network = [...NETWORK, "--timeout", "0", "--python", String(python)];
  const child = spawn(process.execPath, [MAIN, "classify", "--json", ...network, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: temporary },
  });
  return ofTest(child);
}

/** Resolves once the command has printed an answer: it has long had its handlers. */
async function firstLine(child: ChildProcess): Promise<void> {
  await once(child.stdout ?? child, "data");
}

function leftOver(): unknown[] {
  return [...readdirSync(temporary), ...processesWith(temporary)];
}

test("the first Ctrl-C finishes the pictures in work, with whole lines, and takes the worker along", async () => {
  const child = classifyMany();
  const ending = ended(child);
  await firstLine(child);
  child.kill("SIGINT");
  const { code, stdout } = await ending;
  expect(code).toBe(130);
  const lines = stdout.trim().split("\n");
  expect(lines.length).toBeLessThan(MANY);
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ input: IMAGE, top: expect.any(Array) });
  await expect.poll(leftOver).toEqual([]);
});

test("the second ends it at once", async () => {
  const child = classifyMany();
  const ending = ended(child);
  await firstLine(child);
  child.kill("SIGINT");
  child.kill("SIGTERM");
  expect([130, 143]).toContain((await ending).code);
  await expect.poll(leftOver).toEqual([]);
});

test("a reader that goes away, as `| head` does, is no failure", async () => {
  const child = classifyMany(STANDIN.python, 1_000);
  await firstLine(child);
  child.stdout?.destroy();
  expect((await ended(child)).code).toBe(0);
  await expect.poll(leftOver).toEqual([]);
});

test("Ctrl-C is how watching a folder ends: what had come is answered, nothing is left", async () => {
  const inbox = mkdtempSync(join(tmpdir(), "signals-inbox-"));
  const child = classify(STANDIN.python, "--watch", inbox);
  const ending = ended(child);
  await once(child.stderr ?? child, "data"); // that the network is untrained: by now the folder is watched
  copyFileSync(IMAGE, join(inbox, "come.webp"));
  await firstLine(child);
  child.kill("SIGINT");
  const { code, stdout } = await ending;
  expect(code).toBe(130);
  expect(JSON.parse(stdout)).toMatchObject({ input: join(inbox, "come.webp"), top: expect.any(Array) });
  rmSync(inbox, { recursive: true });
  await expect.poll(leftOver).toEqual([]);
});
