import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { run } from "../../src/cli/doctor.ts";
import { confirm } from "../../src/cli/confirm.ts";
import { readRecord, recordFile, writeRecord } from "../../src/worker/recorded.ts";
import { testMachine, type TestMachine } from "../fixtures/environments/machine.ts";

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
  test("says what it does, drops a stale record without asking where nobody can be asked, and looks again", async () => {
    const environ = { ...machine.at.environ, ISOTORCH_CONFIG_DIR: join(machine.root, "config") };
    const at = { ...machine.at, environ };
    await writeRecord({ python: "/gone/python", prefix: "", via: "venv" }, at);
    await run(["--fix", "--cache-dir", machine.root, "--offline"], new AbortController().signal);
    expect(printed).toContain("/gone/python (setup (venv)): does not exist");
    expect(printed).toContain("[record-stale]");
    expect(told).toContain(`> remove the record ${recordFile(at)}; the environment itself is left alone`);
    expect((await readRecord(at))?.python).not.toBe("/gone/python");
    expect(printed.split("What is wrong, and how to mend it:").at(-1)).not.toContain("record-stale");
    // What cannot be fetched offline is told and does not end the mending.
    expect(told).toContain("downloading is switched off");
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
