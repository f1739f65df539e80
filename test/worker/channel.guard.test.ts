import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Channel } from "../../src/worker/channel.ts";

test("a directory whose path is too long for a socket is named as the reason, before anything is bound", async () => {
  const before = process.env["TMPDIR"];
  const folder = mkdtempSync(join(tmpdir(), `guard-${"x".repeat(100)}`));
  process.env["TMPDIR"] = folder;
  const opened = Channel.open(1);
  try {
    await expect(opened).rejects.toMatchObject({
      code: "WORKER_START_FAILED",
      message: expect.stringContaining("too long for a socket") as string,
    });
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
    rmSync(folder, { recursive: true, force: true });
  }
});
