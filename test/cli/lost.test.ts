/** An environment is recorded, used and removed, and nothing takes its place in silence. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CACHE_DIR, NETWORK } from "../checkpoint.ts";
import { PYTHON } from "../python.ts";
import { isotorch as called } from "./printed.ts";
import type { Printed } from "./printed.ts";
// @ts-expect-error -- a script without types
import { standin } from "../../scripts/chaos/standin.mjs";

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

/** The home of nobody: no conda of this machine is looked at, and no settings are. */
function environment(over: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const none = { ISOTORCH_PYTHON: undefined, CONDA_PREFIX: undefined, VIRTUAL_ENV: undefined };
  return { ...none, HOME: scratch, ISOTORCH_CONFIG_DIR: join(scratch, "config"), ...over };
}

const isotorch = (words: readonly string[], over?: NodeJS.ProcessEnv): Promise<Printed> =>
  called(words, environment(over));

/** An environment whose interpreter and worker are stubs. */
function stub(name: string): string {
  return (standin as (folder: string) => string)(join(scratch, name));
}

describe.skipIf(process.platform === "win32")("an environment that is gone", () => {
  test("and was recorded ends classify with exit code 3 and the sentence; doctor tells it; setup mends it", async () => {
    const python = stub("venv");
    const recorded = await isotorch(["setup", "--python", python]);
    expect(recorded.code, recorded.stderr).toBe(0);
    expect(await isotorch(["classify", IMAGE, ...NETWORK])).toMatchObject({ code: 0 });

    rmSync(dirname(dirname(python)), { recursive: true });
    const lost = await isotorch(["classify", IMAGE, ...NETWORK]);
    expect(lost).toMatchObject({ code: 3, stdout: "" });
    expect(lost.stderr).toMatch(
      /^isotorch: ENVIRONMENT_NOT_FOUND: The Python that `isotorch setup` recorded on \S+ is gone: /m,
    );
    expect(lost.stderr).toContain(`${python} does not exist. No other Python was taken in its place`);
    expect(lost.stderr).toContain("npx isotorch setup");

    const doctor = await isotorch(["doctor", "--cache-dir", CACHE_DIR]);
    expect(doctor).toMatchObject({ code: 3, stderr: "" });
    expect(doctor.stdout).toContain(`${python} does not exist. [record-stale]\n    npx isotorch setup\n`);

    expect(await isotorch(["setup", "--python", PYTHON])).toMatchObject({ code: 0 });
    expect(await isotorch(["classify", IMAGE, ...NETWORK])).toMatchObject({ code: 0 });
  });

  test("and was used because it was active is missed too, and not by who names another one", async () => {
    const python = stub("venv");
    const active = { CONDA_PREFIX: dirname(dirname(python)) };
    expect(await isotorch(["classify", IMAGE, ...NETWORK], active)).toMatchObject({ code: 0 });
    expect(JSON.parse(readFileSync(join(scratch, "config", "used.json"), "utf8"))).toMatchObject({
      python,
      source: "CONDA_PREFIX",
    });
    rmSync(dirname(dirname(python)), { recursive: true });
    // The next Python that fits, whatever this machine has.
    const next = { PATH: `${dirname(PYTHON)}:${process.env["PATH"]}` };
    const lost = await isotorch(["classify", IMAGE, ...NETWORK], next);
    expect(lost).toMatchObject({ code: 3, stdout: "" });
    expect(lost.stderr).toContain("by CONDA_PREFIX) is gone: ");
    const other = ["--python", stub("other")];
    expect(await isotorch(["classify", IMAGE, ...other, ...NETWORK], next)).toMatchObject({ code: 0 });
    expect((await isotorch(["doctor", "--cache-dir", CACHE_DIR], next)).stdout).toContain("[used-gone]");
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
      run(process.execPath, ["--input-type=module", "-e", script, name], {
        env: { ...process.env, ...environment() },
      }),
    ),
  );
  expect(readdirSync(join(scratch, "config"))).toEqual(["used.json"]);
  const note: unknown = JSON.parse(readFileSync(join(scratch, "config", "used.json"), "utf8"));
  expect(note).toMatchObject({ python: expect.stringMatching(/[abc]99$/), kind: "conda" });
});
