import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test("the types, the error codes and the tables of the page are what messages.json says", () => {
  const { status, stderr } = spawnSync(process.execPath, ["scripts/write-protocol.mjs", "--check"], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});
