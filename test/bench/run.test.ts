import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("../../bench/run.mjs", import.meta.url));

function bench(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], { encoding: "utf8" });
  return { status, output: `${stdout}${stderr}` };
}

describe("what is wrong on the command line ends it before anything is started", () => {
  test("a case that there is not", () => {
    const { status, output } = bench("bridge", "quantum");
    expect(status).toBe(2);
    expect(output).toMatch(/There is no case "quantum"\.[^]*of bridge, exact, fused, precisions/);
  });

  test("a flag that there is not", () => {
    expect(bench("--fast")).toMatchObject({ status: 2 });
  });
});

test("--help says what there is", () => {
  const { status, output } = bench("--help");
  expect(status).toBe(0);
  expect(output).toMatch(/^npm run bench/);
});
