/** Whole preprocessings against torchvision's own, by the script that compares many more of them. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
// @ts-expect-error -- a script without types
import { differingBits } from "../../scripts/specs/bits.mjs";
import { PYTHON } from "../python.ts";

const SCRIPT = fileURLToPath(new URL("../../scripts/compare-specs.mjs", import.meta.url));

test("a spec of torchvision's and two odd ones, over fifteen pictures: no bit differs", () => {
  const args = [SCRIPT, "--most", "1", "--random", "2", "--seed", "5", "--python", PYTHON];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^3 specs .* x 15 pictures: 45 tensors, \d+ values, 0 differing bits; 0 left /);
  expect(status).toBe(0);
});

test("each bit that differs is counted, and so is an array of another length", () => {
  const theirs = Buffer.from(new Float32Array([1, -0, 2]).buffer);
  expect(differingBits(new Float32Array([1, -0, 2]), theirs)).toBe(0);
  expect(differingBits(new Float32Array([1, 0, 2]), theirs)).toBe(1);
  expect(differingBits(new Float32Array([1, -0, -2.5]), theirs)).toBe(2);
  expect(differingBits(new Float32Array([1, 0]), theirs)).toBe(96);
});
