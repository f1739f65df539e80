import { describe, expect, test } from "vitest";
import { progressBar } from "../../src/cli/setup-progress.ts";
import { progressReader } from "../../src/setup/progress.ts";

describe("lines that tell nothing of the progress are none", () => {
  test.each([
    "",
    "{",
    "{}",
    '{"fetch":1,"progress":2}',
    '{"fetch":"x | 1 B | "}',
    "Collecting package metadata",
    "\u0000",
  ])("%j", (line) => {
    expect(progressReader("conda")(line)).toBeUndefined();
    expect(progressReader("micromamba")(line)).toBeUndefined();
  });
});

test("conda's fractions are weighed by the sizes of the packages, and never go back", () => {
  const read = progressReader("conda");
  const fetch = (name: string, size: string, progress: number, finished = false): string =>
    `\u0000{"fetch":"${name} | ${size} | ","finished":${finished},"maxval":1,"progress":${progress}}`;
  expect(read(fetch("pytorch-1.12.1", "900.0 MB", 0.5))).toEqual({
    phase: "downloading",
    progress: 50,
    name: "pytorch-1.12.1",
    finished: false,
  });
  expect(read(fetch("numpy-1.26.4", "100 MB", 0.5))?.progress).toBe(50);
  expect(read(fetch("cudatoolkit-11.3", "1.0 GB", 0))?.progress).toBe(50);
  expect(read(fetch("pytorch-1.12.1", "900.0 MB", 1, true))).toMatchObject({ finished: true });
  expect(read(fetch("cudatoolkit-11.3", "1.0 GB", 1, true))?.progress).toBeCloseTo(97.5);
});

test("micromamba's lines are read in colour and without, repodata is no package", () => {
  const read = progressReader("micromamba");
  expect(read("conda-forge/linux-64                        12.3MB @   5.1MB/s  2.1s")).toBeUndefined();
  expect(read("  Install: 4 packages")).toEqual({ phase: "solving" });
  expect(read("  Total download: 200MB")).toMatchObject({ phase: "downloading", progress: 0 });
  expect(read("\u001B[32mpytorch                      150.0MB @  50.0MB/s  3.0s\u001B[0m")).toEqual({
    phase: "downloading",
    progress: expect.closeTo(60, 6),
    name: "pytorch",
    finished: true,
  });
  expect(read("Linking python-3.10.14-hd12c33a_0_cpython")).toMatchObject({
    phase: "installing",
    progress: expect.closeTo(85, 6),
  });
  expect(read("Transaction finished")).toEqual({ phase: "done", progress: 100 });
});

test("a terminal gets a bar that is redrawn and taken away, a pipe a line for each finished package", () => {
  const written: string[] = [];
  const write = (text: string): void => void written.push(text);
  const bar = progressBar({ isTTY: true, write });
  bar.show({ phase: "downloading", progress: 50, name: "pytorch" });
  bar.show({ phase: "downloading", progress: 100, name: "pytorch", finished: true });
  bar.clear();
  bar.clear();
  expect(written).toEqual([
    `${"█".repeat(12)}${"░".repeat(12)}  50 % downloading pytorch`,
    "\r\u001B[2K",
    `${"█".repeat(24)} 100 % downloading pytorch`,
    "\r\u001B[2K",
  ]);
  written.length = 0;
  const lines = progressBar({ write });
  lines.show({ phase: "solving" });
  lines.show({ phase: "downloading", progress: 10, name: "pytorch", finished: false });
  lines.show({ phase: "downloading", progress: 40, name: "pytorch", finished: false });
  lines.show({ phase: "downloading", progress: 50, name: "pytorch", finished: true });
  expect(written).toEqual(["solving\n", "downloading pytorch 10 %\n", "downloading pytorch 50 %\n"]);
});
