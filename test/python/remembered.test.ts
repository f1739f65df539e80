import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { resolveClassifierOptions } from "../../src/classification/resolved.ts";
import { findEnvironment, listCandidates } from "../../src/python/environment.ts";
import { writeRecord } from "../../src/python/recorded.ts";
import { memoryFile } from "../../src/python/remembered.ts";
import { startClassifier } from "../../src/classification/start.ts";
import { testMachine, type TestMachine } from "../fixtures/environments/machine.ts";

afterEach(() => vi.unstubAllEnvs());

/** A Python that notes each time it is started. */
async function notingPython(machine: TestMachine, is?: string): Promise<string> {
  const python = await machine.python(join(machine.root, "here/bin/python"), is);
  await mkdir(join(machine.root, "here/lib"));
  await writeFile(`${python}.runs`, "");
  return python;
}

function runs(python: string): string[] {
  const notes = readFileSync(`${python}.runs`, "utf8").trim().split("\n");
  return notes
    .filter(Boolean)
    .map((line) => line.replace(" --background-import", "").split(" ").at(-1) ?? "");
}

describe.skipIf(process.platform === "win32")("an interpreter that was asked before", () => {
  test("is not started again: the record, a variable and an option take its word", async () => {
    await using machine = await testMachine();
    const python = await notingPython(machine);
    await writeRecord({ python, prefix: "", via: "venv" }, machine.at);
    const first = await findEnvironment({ at: machine.at });
    const second = await findEnvironment({ at: machine.at });
    expect(first).toMatchObject({ python, kind: "recorded", recalled: false });
    expect(second).toEqual({ ...first, recalled: true });
    const environ = { ...machine.at.environ, ISOTORCH_PYTHON: python };
    expect(await findEnvironment({ at: { ...machine.at, environ } })).toMatchObject({ recalled: true });
    expect(await findEnvironment({ python, at: machine.at })).toMatchObject({ recalled: true });
    expect(runs(python)).toEqual(["probe"]);
    expect(await findEnvironment({ python, at: machine.at, anew: true })).toMatchObject({ recalled: false });
    expect(runs(python)).toHaveLength(2);
  });

  test("is not started again to be refused again", async () => {
    await using machine = await testMachine();
    const python = await notingPython(machine, "no-torch");
    for (let turn = 0; turn < 2; turn += 1) {
      await expect(findEnvironment({ python, at: machine.at })).rejects.toMatchObject({
        code: "ENVIRONMENT_BROKEN",
        message: expect.stringContaining("without torch, torchvision"),
      });
    }
    expect(runs(python)).toEqual(["probe"]);
  });

  test.each([
    ["its packages changed", async (root: string) => utimes(join(root, "here/lib"), 1, 1)],
    ["its packages are gone", async (root: string) => rm(join(root, "here/lib"), { recursive: true })],
    ["it was replaced", async (root: string) => writeFile(join(root, "here/bin/python"), "#!/bin/sh\n")],
  ])("is asked again when %s", async (_what, change) => {
    await using machine = await testMachine();
    const python = await notingPython(machine);
    await findEnvironment({ python, at: machine.at });
    await change(machine.root);
    const again = await findEnvironment({ python, at: machine.at }).catch(() => undefined);
    expect(again?.recalled).not.toBe(true);
  });

  test.each([
    [
      "by another version of isotorch",
      (text: string) => text.replace(/"isotorch": "[^"]+"/, '"isotorch": "0.0.0"'),
    ],
    ["in a file that was damaged", (text: string) => text.slice(0, 100)],
    ["without what it depends on", (text: string) => text.replace(/"stamp": \{[^}]*\}/, '"stamp": {}')],
    ["without its own words", (text: string) => text.replace('"versions"', '"conversions"')],
  ])("is asked again when it was written down %s", async (_how, change) => {
    await using machine = await testMachine();
    const python = await notingPython(machine);
    await findEnvironment({ python, at: machine.at });
    const file = memoryFile(machine.at);
    const text = await readFile(file, "utf8");
    expect(change(text)).not.toBe(text);
    await writeFile(file, change(text));
    expect(await findEnvironment({ python, at: machine.at })).toMatchObject({ recalled: false });
    expect(runs(python)).toEqual(["probe", "probe"]);
    expect(await findEnvironment({ python, at: machine.at })).toMatchObject({ recalled: true });
  });

  test("with others at the same moment is remembered as they are", async () => {
    await using machine = await testMachine();
    const places = ["usr/bin/python3", "bin/python3", "bin/python"].map((place) => join(machine.root, place));
    for (const python of places) await machine.python(python, "no-torch");
    await mkdir(join(machine.root, "usr/lib"));
    await listCandidates({ at: machine.at });
    const memory: unknown = JSON.parse(await readFile(memoryFile(machine.at), "utf8"));
    expect(Object.keys(memory as object).toSorted()).toEqual(places.toSorted());
  });

  test("is asked each time where nothing can be written down", async () => {
    await using machine = await testMachine();
    const python = await notingPython(machine);
    await writeFile(join(machine.root, "file"), "");
    const environ = { ...machine.at.environ, ISOTORCH_CONFIG_DIR: join(machine.root, "file/config") };
    const at = { ...machine.at, environ };
    expect(await findEnvironment({ python, at })).toMatchObject({ python, recalled: false });
    expect(await findEnvironment({ python, at })).toMatchObject({ python, recalled: false });
  });

  test("and then fails its imports ends in the worker's own error, asked once more and not started again", async () => {
    await using machine = await testMachine();
    const python = await notingPython(machine);
    vi.stubEnv("ISOTORCH_CONFIG_DIR", join(machine.root, "config"));
    await findEnvironment({ python });
    const options = resolveClassifierOptions({ python, weights: "untrained:0", cacheDir: machine.root });
    await expect(startClassifier(options, () => undefined)).rejects.toMatchObject({
      code: "ENVIRONMENT_BROKEN",
      message: expect.stringContaining("No module named 'torch'"),
      hint: expect.stringContaining("isotorch doctor"),
    });
    expect(runs(python)).toEqual(["probe", "serve", "probe"]);
  });

  test("and was emptied since in a way that no stamp shows is found out by the start, and refused", async () => {
    await using machine = await testMachine();
    const python = await notingPython(machine);
    vi.stubEnv("ISOTORCH_CONFIG_DIR", join(machine.root, "config"));
    await findEnvironment({ python });
    await writeFile(`${python}.is`, "no-torch");
    const options = resolveClassifierOptions({ python, weights: "untrained:0", cacheDir: machine.root });
    await expect(startClassifier(options, () => undefined)).rejects.toMatchObject({
      code: "ENVIRONMENT_BROKEN",
      message: expect.stringContaining("without torch, torchvision"),
    });
    expect(runs(python)).toEqual(["probe", "serve", "probe"]);
  });
});
