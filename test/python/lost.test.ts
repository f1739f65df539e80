import { chmod, mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type Environment,
  findEnvironment,
  listCandidates,
  lostAmong,
} from "../../src/python/environment.ts";
import { recordFile, writeRecord } from "../../src/python/recorded.ts";
import type { Surroundings } from "../../src/python/surroundings.ts";
import { configDirectory } from "../../src/python/surroundings.ts";
import { noteUsed, readUsed, usedFile } from "../../src/python/used.ts";
import { testMachine, type TestMachine } from "../fixtures/environments/machine.ts";

const MEND =
  "or run `npx isotorch setup` to choose again, or name one with ISOTORCH_PYTHON=/path/to/python or --python";
const NOT_REPLACED = "No other Python was taken in its place: its answers could differ.";

/** What a start does: finds an environment, and notes the one that works. */
async function use(at: Surroundings): Promise<Environment> {
  const environment = await findEnvironment({ at });
  await noteUsed(environment, at);
  return environment;
}

function withEnviron(machine: TestMachine, environ: NodeJS.ProcessEnv): Surroundings {
  return { ...machine.at, environ: { ...machine.at.environ, ...environ } };
}

describe.skipIf(process.platform === "win32")("the environment that setup recorded", () => {
  test("and that is gone is an error with its name, the day, the reason and the mend, though another one fits", async () => {
    await using machine = await testMachine();
    await machine.python(join(machine.root, "usr/bin/python3"));
    const python = await machine.python(join(machine.root, "venv/bin/python"));
    await writeRecord({ python, prefix: join(machine.root, "venv"), via: "venv" }, machine.at);
    await utimes(recordFile(machine.at), new Date("2026-01-02"), new Date("2026-01-02"));
    expect(await findEnvironment({ at: machine.at })).toMatchObject({
      python,
      reason: "recorded by setup (venv)",
    });
    await rm(join(machine.root, "venv"), { recursive: true });
    await expect(findEnvironment({ at: machine.at })).rejects.toMatchObject({
      code: "ENVIRONMENT_NOT_FOUND",
      message: `The Python that \`isotorch setup\` recorded on 2026-01-02 is gone: ${python} does not exist. ${NOT_REPLACED}`,
      hint: `Restore it, ${MEND}`,
    });
  });

  test.each([
    [
      "no-torch",
      "Python 3.11.2 without torch, torchvision",
      /^Install what is missing with `\S.*pip install/,
    ],
    ["python38", "Python 3.8.18 is older than 3.9", /^Mend it, or run `npx isotorch setup`/],
    ["broken", "is not a working Python", /^Mend it, or run `npx isotorch setup`/],
  ])("and that is %s now is broken, and not passed over", async (is, reason, hint) => {
    await using machine = await testMachine();
    await machine.python(join(machine.root, "usr/bin/python3"));
    const python = await machine.python(join(machine.root, "venv/bin/python"), is);
    await writeRecord({ python, prefix: "", via: "venv" }, machine.at);
    await expect(findEnvironment({ at: machine.at })).rejects.toMatchObject({
      code: "ENVIRONMENT_BROKEN",
      message: expect.stringContaining(`can no longer run the worker: ${python} (${reason}`),
      hint: expect.stringMatching(hint),
    });
  });

  test("and that is conda's is mended by conda, without the channels of the user's configuration", async () => {
    await using machine = await testMachine();
    const prefix = join(machine.root, "conda/envs/vision");
    const python = await machine.python(join(prefix, "bin/python"));
    await mkdir(join(prefix, "conda-meta"));
    await writeFile(join(prefix, "conda-meta/python-3.10.14-h0_0.json"), "{}");
    for (const module of ["torch", "torchvision", "numpy"])
      await mkdir(join(prefix, "lib/python3.10/site-packages", module), { recursive: true });
    await writeRecord({ python, prefix, via: "found" }, machine.at);
    const mend = `conda install -y -p '${prefix}' --override-channels -c conda-forge pillow pyzmq msgpack-python`;
    const hint = expect.stringContaining(`Install what is missing with \`${mend}\``);
    await expect(findEnvironment({ at: machine.at })).rejects.toMatchObject({
      code: "ENVIRONMENT_BROKEN",
      hint,
    });
    await expect(findEnvironment({ python, at: machine.at })).rejects.toMatchObject({ hint });
  });

  test("in a record that is damaged is an error that names the file, and not a guess", async () => {
    await using machine = await testMachine();
    await machine.python(join(machine.root, "usr/bin/python3"));
    await mkdir(configDirectory(machine.at), { recursive: true });
    for (const damage of ["", "{", '{"python": "relative/python"}']) {
      await writeFile(recordFile(machine.at), damage);
      await expect(findEnvironment({ at: machine.at })).rejects.toMatchObject({
        code: "ENVIRONMENT_NOT_FOUND",
        message: expect.stringContaining(`is damaged and names no Python: ${recordFile(machine.at)}`),
        hint: expect.stringContaining("npx isotorch setup"),
      });
    }
  });

  test("is not needed by who names a Python: a lost record stands in nobody's way", async () => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.root, "usr/bin/python3"));
    await writeRecord({ python: "/gone/python", prefix: "", via: "venv" }, machine.at);
    const named = { python, kind: "explicit", reason: "named by the option `python`" };
    expect(await findEnvironment({ python, at: machine.at })).toMatchObject(named);
    const at = withEnviron(machine, { ISOTORCH_PYTHON: python });
    expect(await findEnvironment({ at })).toMatchObject({ python, reason: "named by ISOTORCH_PYTHON" });
  });
});

describe.skipIf(process.platform === "win32")("the environment that was used before", () => {
  test("is noted once, and not again while nothing changes", async () => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.root, "usr/bin/python3"));
    expect(await use(machine.at)).toMatchObject({ python, reason: "found by system" });
    const { mtimeMs, ino } = await stat(usedFile(machine.at));
    expect(await use(machine.at)).toMatchObject({ python, reason: "found by system" });
    expect(await stat(usedFile(machine.at))).toMatchObject({ mtimeMs, ino });
    expect(await readUsed(machine.at)).toEqual({ python, kind: "system", source: "system", before: null });
  });

  test.each([
    ["removed", (prefix: string) => rm(prefix, { recursive: true })],
    ["renamed", (prefix: string) => rename(prefix, `${prefix}-old`)],
  ])("and was %s is an error with the reason and the mend, though another one fits", async (_how, lose) => {
    await using machine = await testMachine();
    await machine.python(join(machine.root, "usr/bin/python3"));
    const prefix = join(machine.root, "home/miniforge3/envs/isotorch");
    const python = await machine.python(join(prefix, "bin/python"));
    await use(machine.at);
    await utimes(usedFile(machine.at), new Date("2026-01-02"), new Date("2026-01-02"));
    await lose(prefix);
    for (let turn = 0; turn < 2; turn += 1) {
      await expect(findEnvironment({ at: machine.at })).rejects.toMatchObject({
        code: "ENVIRONMENT_NOT_FOUND",
        message: `The Python that was used before (chosen on 2026-01-02, by ${prefix}) is gone: ${python} does not exist. ${NOT_REPLACED}`,
        hint: `Restore it, ${MEND}`,
      });
    }
    expect(await lostAmong(await listCandidates({ at: machine.at }), { at: machine.at })).toMatchObject({
      was: "used",
      python,
      exists: false,
    });
  });

  test("and lost what the worker needs is broken, and not passed over", async () => {
    await using machine = await testMachine();
    await machine.python(join(machine.root, "usr/bin/python3"));
    const at = withEnviron(machine, { CONDA_PREFIX: join(machine.root, "active") });
    const python = await machine.python(join(machine.root, "active/bin/python"));
    await use(at);
    await machine.python(python, "no-torch");
    await expect(findEnvironment({ at, anew: true })).rejects.toMatchObject({
      code: "ENVIRONMENT_BROKEN",
      message: expect.stringContaining(
        `by CONDA_PREFIX) can no longer run the worker: ${python} (Python 3.11.2`,
      ),
      hint: expect.stringContaining(`${python} -m pip install torch`),
    });
  });

  test("and has other versions now is the same environment", async () => {
    await using machine = await testMachine();
    const prefix = join(machine.root, "home/miniforge3/envs/isotorch");
    await machine.python(join(prefix, "bin/python3.11"));
    await symlink("python3.11", join(prefix, "bin/python"));
    await writeFile(join(prefix, "bin/python.is"), "fit");
    await use(machine.at);
    await rm(join(prefix, "bin/python"));
    await machine.python(join(prefix, "bin/python"), "python314");
    expect(await use(machine.at)).toMatchObject({ versions: { python: "3.14.0" } });
  });

  test("gives way to one that the user activated, which says so and is noted in its place", async () => {
    await using machine = await testMachine();
    const system = await machine.python(join(machine.root, "usr/bin/python3"));
    const active = await machine.python(join(machine.root, "active/bin/python"));
    await use(machine.at);
    const at = withEnviron(machine, { CONDA_PREFIX: join(machine.root, "active") });
    const reason = `found by CONDA_PREFIX; before it ${system} was used`;
    expect(await use(at)).toMatchObject({ python: active, reason });
    expect(await use(at)).toMatchObject({ python: active, reason });
    expect(await readUsed(at)).toMatchObject({ python: active, source: "CONDA_PREFIX", before: system });
    await rm(join(machine.root, "active"), { recursive: true });
    await expect(use(machine.at)).rejects.toMatchObject({ code: "ENVIRONMENT_NOT_FOUND" });
  });

  test("is told where nothing fits any more, or nothing names it", async () => {
    await using machine = await testMachine();
    const at = withEnviron(machine, { VIRTUAL_ENV: join(machine.root, "venv") });
    const python = await machine.python(join(machine.root, "venv/bin/python"));
    await use(at);
    await expect(findEnvironment({ at: machine.at })).rejects.toMatchObject({
      code: "ENVIRONMENT_NOT_FOUND",
      message: expect.stringContaining(`${python} (used before): fits, and nothing names it now`),
    });
  });

  test("is neither asked about nor changed by who names a Python, and not by a record", async () => {
    await using machine = await testMachine();
    const system = await machine.python(join(machine.root, "usr/bin/python3"));
    const other = await machine.python(join(machine.root, "other/bin/python"));
    await use(machine.at);
    const note = await readFile(usedFile(machine.at), "utf8");
    for (const over of [{ python: other }, { env: join(machine.root, "other") }])
      await noteUsed(await findEnvironment({ ...over, at: machine.at }), machine.at);
    const named = withEnviron(machine, { ISOTORCH_PYTHON: other });
    await noteUsed(await findEnvironment({ at: named }), named);
    await writeRecord({ python: other, prefix: "", via: "found" }, machine.at);
    await rm(system);
    expect(await use(machine.at)).toMatchObject({ python: other, kind: "recorded" });
    expect(await readFile(usedFile(machine.at), "utf8")).toBe(note);
  });

  test("is not noted where nothing can be written, and everything else works", async () => {
    await using machine = await testMachine();
    await writeFile(join(machine.root, "file"), "");
    const python = await machine.python(join(machine.root, "usr/bin/python3"));
    const at = withEnviron(machine, { ISOTORCH_CONFIG_DIR: join(machine.root, "file/config") });
    for (let turn = 0; turn < 2; turn += 1) expect(await use(at)).toMatchObject({ python });
  });

  test.skipIf(process.getuid?.() === 0)("and a record that may not be read do not count", async () => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.root, "usr/bin/python3"));
    await writeRecord({ python: "/gone/python", prefix: "", via: "venv" }, machine.at);
    await chmod(configDirectory(machine.at), 0);
    expect(await use(machine.at)).toMatchObject({ python });
    await chmod(configDirectory(machine.at), 0o700);
  });

  test("in a note that is damaged does not count", async () => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.root, "usr/bin/python3"));
    await mkdir(configDirectory(machine.at), { recursive: true });
    await writeFile(usedFile(machine.at), '{"python": 7');
    expect(await use(machine.at)).toMatchObject({ python });
    expect(await readUsed(machine.at)).toMatchObject({ python });
  });
});
