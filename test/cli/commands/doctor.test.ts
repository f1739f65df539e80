import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { run } from "../../../src/cli/commands/doctor.ts";
import { confirm } from "../../../src/cli/terminal/confirm.ts";
import { readRecord, writeRecord } from "../../../src/python/recorded.ts";
import { testMachine, type TestMachine } from "../../fixtures/environments/machine.ts";

let machine: TestMachine;
let printed: string;
let told: string;

beforeEach(async () => {
  machine = await testMachine();
  [printed, told] = ["", ""];
  vi.stubEnv("ISOTORCH_CONFIG_DIR", join(machine.root, "config"));
  vi.stubEnv("ISOTORCH_PYTHON", undefined);
  // Whatever is mended here, stand-ins do it.
  vi.stubEnv("PATH", machine.at.environ["PATH"]);
  vi.stubEnv("HOME", machine.at.home);
  await machine.tool("apt-get");
  for (const name of ["python3", "python3.13"]) await machine.python(join(machine.bin, name));
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((printed += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((told += String(text)), true));
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await machine[Symbol.asyncDispose]();
});

describe.skipIf(process.platform === "win32")("doctor --fix", () => {
  test("says what it does, chooses anew for a lost record without asking where nobody can be asked, and looks again", async () => {
    const environ = { ...machine.at.environ, ISOTORCH_CONFIG_DIR: join(machine.root, "config") };
    const at = { ...machine.at, environ };
    await writeRecord({ python: "/gone/python", prefix: "", via: "venv" }, at);
    await run(["--fix", "--cache-dir", machine.root, "--offline"], new AbortController().signal);
    expect(printed).toContain("/gone/python (setup (venv)): does not exist");
    expect(printed).toMatch(/recorded on \S+ is gone: \/gone\/python does not exist\. \[record-stale\]/);
    expect(told).toContain("> npx isotorch setup\n");
    expect((await readRecord(at))?.python).toMatch(/^\/(?!gone)/);
    expect(printed.split("What is wrong, and how to mend it:").at(-1)).not.toContain("record-stale");
    // What cannot be fetched offline is told and does not end the mending.
    expect(told).toContain("downloading is switched off");
  });

  test("without --fix tells what is lost with its mend, chooses nothing in its place, and is exit code 3", async () => {
    const environ = { ...machine.at.environ, ISOTORCH_CONFIG_DIR: join(machine.root, "config") };
    await writeRecord({ python: "/gone/python", prefix: "", via: "venv" }, { ...machine.at, environ });
    const code = await run(["--json", "--cache-dir", machine.root], new AbortController().signal);
    expect(code).toBe(3);
    expect(JSON.parse(printed)).toMatchObject({
      python: null,
      problems: expect.arrayContaining([
        expect.objectContaining({ rule: "record-stale", level: "error", mend: "npx isotorch setup" }),
      ]),
    });
  });

  test("--json prints one object whose problems have the fields that are documented", async () => {
    const python = await machine.python(join(machine.root, "here/python"));
    const code = await run(
      ["--json", "--python", python, "--cache-dir", machine.root],
      new AbortController().signal,
    );
    const diagnosis: unknown = JSON.parse(printed);
    expect(code).toBe(3);
    expect(diagnosis).toMatchObject({
      candidates: [{ path: python, kind: "explicit", accepted: true, verdict: "chosen", build: null }],
      python: { path: python },
      kernel: null,
      problems: [
        {
          rule: "import-failed",
          area: "environment",
          level: "error",
          mend: "npx isotorch setup",
          fix: { does: "setup" },
        },
        { rule: "checkpoint-missing", level: "warning", fix: { does: "download", weights: "IMAGENET1K_V1" } },
      ],
    });
  });
});

test("a question without a terminal gets the answer that was meant for it", async () => {
  expect(await confirm("Really?", true)).toBe(true);
  expect(await confirm("Really?", false)).toBe(false);
});
