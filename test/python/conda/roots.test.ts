import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, win32 } from "node:path";
import { describe, expect, test } from "vitest";
import { condaPrefixes, everyPrefix } from "../../../src/python/conda/conda.ts";
import { condaRoots } from "../../../src/python/conda/roots.ts";
import { findEnvironment } from "../../../src/python/environment.ts";
import { askInfo, findManager } from "../../../src/python/conda/managers.ts";
import { surroundings } from "../../../src/python/surroundings.ts";
import { testMachine, type TestMachine } from "../../fixtures/environments/machine.ts";

/** An installation in a place that is not usual, with an environment in it. */
async function installation(machine: TestMachine, name = "data/apps/conda"): Promise<string> {
  const root = join(machine.root, name);
  for (const prefix of [root, join(root, "envs/vision")]) {
    await machine.python(join(prefix, "bin/python"));
    await mkdir(join(prefix, "conda-meta"), { recursive: true });
  }
  for (const file of ["bin/conda", "condabin/conda"]) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  }
  return root;
}

describe.skipIf(process.platform === "win32")("an installation in an unusual place is found", () => {
  test.each(["condabin", "bin"])("by its %s on the PATH", async (folder) => {
    await using machine = await testMachine();
    const root = await installation(machine);
    const environ = { ...machine.at.environ, PATH: `${machine.bin}:${join(root, folder)}` };
    const at = { ...machine.at, environ };
    expect(await condaRoots(at)).toContain(root);
    expect(await condaPrefixes("vision", at)).toContain(join(root, "envs/vision"));
    expect(await everyPrefix(at)).toEqual([join(root, "envs/vision"), root]);
  });

  test("by a link to its conda on the PATH", async () => {
    await using machine = await testMachine();
    const root = await installation(machine);
    await symlink(join(root, "bin/conda"), join(machine.bin, "conda"));
    expect(await condaRoots(machine.at)).toContain(root);
  });

  test("by an environment in ~/.conda/environments.txt, and its manager with it", async () => {
    await using machine = await testMachine();
    const root = await installation(machine);
    await mkdir(join(machine.root, "home/.conda"));
    const list = `${join(root, "envs/other")}\n${machine.root}/gone/envs/x\n`;
    await writeFile(join(machine.root, "home/.conda/environments.txt"), list);
    expect(await condaRoots(machine.at)).toContain(root);
    expect(await condaRoots(machine.at)).not.toContain(join(machine.root, "gone"));
    expect(await findManager(machine.at)).toEqual({ kind: "conda", file: join(root, "bin/conda") });
  });

  test("by CONDA_EXE", async () => {
    await using machine = await testMachine();
    const root = await installation(machine);
    const environ = { ...machine.at.environ, CONDA_EXE: join(root, "bin/conda") };
    const found = await findEnvironment({ env: "vision", at: { ...machine.at, environ } });
    expect(found.prefix).toBe(join(root, "envs/vision"));
  });

  test("by asking the manager, where nothing else knows the environment", async () => {
    await using machine = await testMachine();
    const conda = await machine.tool("conda");
    const prefix = join(machine.root, "conda/envs/vision");
    await machine.python(join(prefix, "bin/python"));
    const found = await findEnvironment({ env: "vision", at: machine.at });
    expect(found).toMatchObject({ kind: "explicit", prefix });
    expect(await askInfo({ kind: "conda", file: conda }, machine.at)).toMatchObject({
      folders: [join(machine.root, "conda/envs")],
      caches: [join(machine.root, "conda/pkgs")],
    });
  });
});

describe.skipIf(process.platform === "win32")("base", () => {
  test.each(["base", "root"])("is the installation itself: --env %s", async (name) => {
    await using machine = await testMachine();
    const root = await installation(machine);
    const environ = {
      ...machine.at.environ,
      PATH: `${machine.at.environ["PATH"]}:${join(root, "condabin")}`,
    };
    const found = await findEnvironment({ env: name, at: { ...machine.at, environ } });
    expect(found).toMatchObject({ kind: "explicit", prefix: root });
  });

  test("that nothing has is told as that", async () => {
    await using machine = await testMachine();
    await expect(findEnvironment({ env: "base", at: machine.at })).rejects.toMatchObject({
      code: "ENVIRONMENT_NOT_FOUND",
      message: 'No conda environment is named "base".',
    });
  });
});

test("on Windows the program behind conda.bat is taken, where there is one", async () => {
  await using machine = await testMachine();
  const root = join(machine.root, "conda");
  for (const file of ["condabin/conda.bat", "Scripts/conda.exe"]) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), "");
  }
  const environ = { ...machine.at.environ, PATH: join(root, "condabin") };
  const at = { ...machine.at, environ, platform: "win32", registry: async () => undefined } as const;
  expect(await findManager(at)).toEqual({ kind: "conda", file: join(root, "Scripts/conda.exe") });
  await rm(join(root, "Scripts"), { recursive: true });
  expect(await findManager(at)).toEqual({ kind: "conda", file: join(root, "condabin/conda.bat") });
});

test("on Windows the programs of a root lie in several directories", async () => {
  const at = surroundings({
    platform: "win32",
    path: win32,
    home: String.raw`C:\Users\me`,
    environ: {
      CONDA_EXE: String.raw`D:\conda\Scripts\conda.exe`,
      _CONDA_EXE: String.raw`E:\mamba\Library\bin\mamba.exe`,
    },
  });
  expect((await condaRoots(at)).slice(0, 2)).toEqual([String.raw`D:\conda`, String.raw`E:\mamba`]);
});
