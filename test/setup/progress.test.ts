import { describe, expect, test } from "vitest";
import { progressBar } from "../../src/cli/terminal/setup-progress.ts";
import { mambaReader } from "../../src/setup/progress.ts";

describe("lines that tell nothing of the progress are none", () => {
  test.each(["", "{", "{}", "Collecting package metadata", "\u0000"])("%j", (line) => {
    expect(mambaReader()(line)).toBeUndefined();
  });
});

test("micromamba's lines are read in colour and without, repodata is no package", () => {
  const read = mambaReader();
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
  bar.show({ phase: "extracting", progress: 95, loaded: 2.01e9, total: 2.01e9, seconds: 83 });
  bar.clear();
  bar.clear();
  expect(written).toEqual([
    `${"█".repeat(12)}${"░".repeat(12)}  50 % downloading pytorch`,
    "\r\u001B[2K",
    `${"█".repeat(24)} 100 % downloading pytorch`,
    "\r\u001B[2K",
    `${"█".repeat(23)}░  95 % extracting (2010 of 2010 MB, 1:23)`,
    "\r\u001B[2K",
  ]);
  written.length = 0;
  const lines = progressBar({ write });
  lines.show({ phase: "solving" });
  lines.show({ phase: "downloading", progress: 10, name: "pytorch", finished: false });
  lines.show({ phase: "downloading", progress: 40, name: "pytorch", finished: false });
  lines.show({ phase: "downloading", progress: 50, name: "pytorch", finished: true });
  expect(written).toEqual(["solving\n", "downloading pytorch 10 %\n", "downloading pytorch 50 %\n"]);
  written.length = 0;
  for (let seconds = 1; seconds <= 25; seconds += 1)
    lines.show({ phase: "downloading", progress: 60, seconds });
  expect(written).toEqual(["downloading 60 % (0:10)\n", "downloading 60 % (0:20)\n"]);
});
