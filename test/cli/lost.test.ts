/** The real command: an environment is recorded, used and removed, and nothing takes its place in silence. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CACHE_DIR, NETWORK } from "../checkpoint.ts";
import { PYTHON } from "../python.ts";
// @ts-expect-error -- a script without types
import { standin } from "../../scripts/chaos/standin.mjs";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const USED = new URL("../../dist/python/used.js", import.meta.url).href;
const SURROUNDINGS = new URL("../../dist/python/surroundings.js", import.meta.url).href;
const EXAMPLES = fileURLToPath(new URL("../../examples/images/", import.meta.url));
const IMAGE = join(EXAMPLES, readdirSync(EXAMPLES).toSorted()[0] ?? "");

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "lost-test-"));
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function environment(over: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { ISOTORCH_PYTHON: _, CONDA_PREFIX: __, VIRTUAL_ENV: ___, ...rest } = process.env;
  // The home of nobody: no conda of this machine is looked at, and no settings are.
  return { ...rest, HOME: scratch, ISOTORCH_CONFIG_DIR: join(scratch, "config"), ...over };
}

function isotorch(args: readonly string[], over: NodeJS.ProcessEnv = {}): Run {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8", env: environment(over) });
}

/** An environment whose interpreter and worker are stubs. */
function stub(name: string): string {
  return (standin as (folder: string) => string)(join(scratch, name));
}

describe.skipIf(process.platform === "win32")("an environment that is gone", () => {
  test("and was recorded ends classify with exit code 3 and the sentence; doctor tells it; setup mends it", () => {
    const python = stub("venv");
    const recorded = isotorch(["setup", "--python", python]);
    expect(recorded.status, recorded.stderr).toBe(0);
    expect(isotorch(["classify", IMAGE, ...NETWORK])).toMatchObject({ status: 0 });

    rmSync(dirname(dirname(python)), { recursive: true });
    const lost = isotorch(["classify", IMAGE, ...NETWORK]);
    expect(lost).toMatchObject({ status: 3, stdout: "" });
    expect(lost.stderr).toMatch(
      /^isotorch: ENVIRONMENT_NOT_FOUND: The Python that `isotorch setup` recorded on \S+ is gone: /m,
    );
    expect(lost.stderr).toContain(`${python} does not exist. No other Python was taken in its place`);
    expect(lost.stderr).toContain("npx isotorch setup");

    const doctor = isotorch(["doctor", "--cache-dir", CACHE_DIR]);
    expect(doctor).toMatchObject({ status: 3, stderr: "" });
    expect(doctor.stdout).toContain(`${python} does not exist. [record-stale]\n    npx isotorch setup\n`);

    expect(isotorch(["setup", "--python", PYTHON])).toMatchObject({ status: 0 });
    expect(isotorch(["classify", IMAGE, ...NETWORK])).toMatchObject({ status: 0 });
  });

  test("and was used because it was active is missed too, and not by who names another one", () => {
    const python = stub("venv");
    const active = { CONDA_PREFIX: dirname(dirname(python)) };
    expect(isotorch(["classify", IMAGE, ...NETWORK], active)).toMatchObject({ status: 0 });
    expect(JSON.parse(readFileSync(join(scratch, "config", "used.json"), "utf8"))).toMatchObject({
      python,
      source: "CONDA_PREFIX",
    });
    rmSync(dirname(dirname(python)), { recursive: true });
    // The next Python that fits, whatever this machine has.
    const next = { PATH: `${dirname(PYTHON)}:${process.env["PATH"]}` };
    const lost = isotorch(["classify", IMAGE, ...NETWORK], next);
    expect(lost).toMatchObject({ status: 3, stdout: "" });
    expect(lost.stderr).toContain("by CONDA_PREFIX) is gone: ");
    const other = ["--python", stub("other")];
    expect(isotorch(["classify", IMAGE, ...other, ...NETWORK], next)).toMatchObject({ status: 0 });
    expect(isotorch(["doctor", "--cache-dir", CACHE_DIR], next).stdout).toContain("[used-gone]");
  });
});

test("processes that note at the same moment leave one whole note, and every reader sees a whole one", async () => {
  const script = `
    const { noteUsed, readUsed } = await import(${JSON.stringify(USED)});
    const { surroundings } = await import(${JSON.stringify(SURROUNDINGS)});
    const at = surroundings();
    for (let turn = 0; turn < 100; turn += 1) {
      await noteUsed({ python: at.path.resolve("/x", process.argv[1] + turn), kind: "conda", source: "s" }, at);
      if (!(await readUsed(at))) throw new Error("half a note");
    }`;
  const run = promisify(execFile);
  await Promise.all(
    ["a", "b", "c"].map((name) =>
      run(process.execPath, ["--input-type=module", "-e", script, name], { env: environment() }),
    ),
  );
  expect(readdirSync(join(scratch, "config"))).toEqual(["used.json"]);
  const note: unknown = JSON.parse(readFileSync(join(scratch, "config", "used.json"), "utf8"));
  expect(note).toMatchObject({ python: expect.stringMatching(/[abc]99$/), kind: "conda" });
});
