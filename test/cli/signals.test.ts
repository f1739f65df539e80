import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CACHE_DIR } from "../checkpoint.ts";
import { processesWith } from "../processes.ts";
import { PYTHON } from "../python.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const IMAGE = fileURLToPath(new URL("../../examples/images/dog.webp", import.meta.url));

let temporary: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "signals-test-"));
});
afterEach(() => {
  rmSync(temporary, { recursive: true, force: true });
});

/** `isotorch classify` over the same picture a thousand times, with a temporary directory of its own. */
function classifyMany(): ChildProcess {
  return classify(...Array.from({ length: 1_000 }, () => IMAGE));
}

function classify(...args: readonly string[]): ChildProcess {
  const weights = ["--weights", "untrained:0", "--cache-dir", CACHE_DIR];
  const network = [...weights, "--threads", "2", "--python", PYTHON];
  return spawn(process.execPath, [MAIN, "classify", "--json", ...network, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: temporary },
  });
}

/** Resolves with the first line that the command prints. */
async function firstLine(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout ?? child, "data")) as [Buffer];
  return chunk.toString();
}

function leftOver(): unknown[] {
  return [...readdirSync(temporary), ...processesWith(temporary)];
}

test("the first Ctrl-C finishes the pictures in work, with whole lines, and takes the worker along", async () => {
  const child = classifyMany();
  let printed = await firstLine(child);
  child.stdout?.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  child.kill("SIGINT");
  const [code] = (await once(child, "close")) as [number | null];
  expect(code).toBe(130);
  const lines = printed.trim().split("\n");
  expect(lines.length).toBeLessThan(100);
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ input: IMAGE, top: expect.any(Array) });
  expect(leftOver()).toEqual([]);
});

test("the second ends it at once", async () => {
  const child = classifyMany();
  await firstLine(child);
  child.kill("SIGINT");
  child.kill("SIGTERM");
  const [code] = (await once(child, "close")) as [number | null];
  expect([130, 143]).toContain(code);
  await expect.poll(leftOver).toEqual([]);
});

test("a reader that goes away, as `| head` does, is no failure", async () => {
  const child = classifyMany();
  await firstLine(child);
  child.stdout?.destroy();
  const [code] = (await once(child, "close")) as [number | null];
  expect(code).toBe(0);
  await expect.poll(leftOver).toEqual([]);
});

test("Ctrl-C is how watching a folder ends: what had come is answered, nothing is left", async () => {
  const inbox = mkdtempSync(join(tmpdir(), "signals-inbox-"));
  const child = classify("--watch", inbox);
  await once(child.stderr ?? child, "data"); // that the network is untrained: by now the folder is watched
  copyFileSync(IMAGE, join(inbox, "come.webp"));
  expect(JSON.parse(await firstLine(child))).toMatchObject({
    input: join(inbox, "come.webp"),
    top: expect.any(Array),
  });
  child.kill("SIGINT");
  const [code] = (await once(child, "close")) as [number | null];
  expect(code).toBe(130);
  rmSync(inbox, { recursive: true });
  expect(leftOver()).toEqual([]);
});
