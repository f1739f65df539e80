/** A decoder in the middle of a slow picture holds up nobody's end, and outlives nobody. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { end, ended, isRunning, ofTest, processesWith, ran } from "../processes.ts";
import { jpegOfScans } from "../security/parts.ts";
import { file, jobOf } from "./job.ts";

const POOL = JSON.stringify(new URL("../../dist/image/pool.js", import.meta.url));
/** Far less than the picture takes to decode. */
const SOON_MS = 20_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isotorch-slow-"));
  // A minute's work, more on a busy machine.
  writeFileSync(join(folder, "slow.jpg"), jpegOfScans({ width: 4_000, height: 4_000, scans: 20_000 }));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program that does this once its decoder is busy with the picture. */
function program(body: string): string {
  const job = {
    ...jobOf(file(join(folder, "slow.jpg"))),
    limits: { scans: 1e6, chunks: 1e6, side: 1e6, pixels: 1e12, bytes: 1e9 },
  };
  const path = join(folder, "program.mjs");
  writeFileSync(
    path,
    `import { pictures } from ${POOL};
    const leave = pictures.enter();
    const giving = new AbortController();
    const slow = pictures.run(${JSON.stringify(job)}, giving.signal).then(() => "decoded", (error) => error.code);
    while (pictures.stats().busy === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await new Promise((resolve) => setTimeout(resolve, 300));
    ${body}`,
  );
  return path;
}

const env = (): NodeJS.ProcessEnv => ({ ...process.env, TMPDIR: folder });

test.each([
  ["process.exit()", "process.exit(3);", 3, ""],
  ["an uncaught exception", 'throw new Error("boom");', 1, ""],
  ["giving the picture up", "giving.abort(); console.log(await slow);", 0, "ABORTED\n"],
  ["giving it up and leaving", "giving.abort(); await leave(); console.log(await slow);", 0, "ABORTED\n"],
])("a program ends at once after %s", async (_, body, status, stdout) => {
  const started = performance.now();
  const done = await ran(process.execPath, [program(body)], { env: env() });
  expect(done).toMatchObject({ code: status, stdout });
  expect(performance.now() - started).toBeLessThan(SOON_MS);
  await expect.poll(() => processesWith(folder)).toEqual([]);
});

test("no decoder outlives a program that is killed", async () => {
  const child = ofTest(
    spawn(process.execPath, [program('console.log("busy"); await slow;')], {
      env: env(),
      stdio: ["ignore", "pipe", "inherit"],
    }),
  );
  await once(child.stdout, "data");
  expect(processesWith(folder).filter((pid) => pid !== child.pid)).toHaveLength(1);
  await end(child);
  await expect.poll(() => processesWith(folder)).toEqual([]);
});

test("a decoder that is stopped is replaced like one that is slow, and Ctrl-C for its program does not end it", async () => {
  const body = `process.on("SIGINT", () => undefined); console.log("busy"); process.stdin.once("data", () => {
      giving.abort(); void slow.then(console.log); void leave().then(() => { console.log("left"); process.exit(); }); });`;
  const child = ofTest(
    spawn(process.execPath, [program(body)], { env: env(), stdio: ["pipe", "pipe", "inherit"] }),
  );
  const ending = ended(child);
  await once(child.stdout, "data");
  const decoder = processesWith(folder).find((pid) => pid !== child.pid) ?? 0;
  process.kill(decoder, "SIGINT");
  process.kill(decoder, "SIGTERM");
  process.kill(decoder, "SIGSTOP");
  expect(isRunning(decoder)).toBe(true);
  child.stdin.write("now");
  expect((await ending).stdout).toBe("busy\nABORTED\nleft\n");
  expect(isRunning(decoder)).toBe(false);
});
