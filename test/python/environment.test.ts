import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join, win32 } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { activationOf, activationPaths } from "../../src/python/activation/activation.ts";
import { condaPython } from "../../src/python/conda/conda.ts";
import { condaRoots } from "../../src/python/conda/roots.ts";
import { findEnvironment, listCandidates } from "../../src/python/environment.ts";
import { isOlder } from "../../src/python/probe.ts";
import { writeRecord } from "../../src/python/recorded.ts";
import { configDirectory, surroundings } from "../../src/python/surroundings.ts";
import { childrenMs } from "../cpu.ts";
import { isRunning } from "../processes.ts";
import { testMachine } from "../fixtures/environments/machine.ts";

describe.skipIf(process.platform === "win32")("what was asked for is never passed over", () => {
  test("a Python that does not exist is an error at once, though a fitting one is on the PATH", async () => {
    await using machine = await testMachine();
    await machine.python(join(machine.bin, "python3"));
    const python = join(machine.root, "nowhere/python");
    await expect(findEnvironment({ python, at: machine.at })).rejects.toMatchObject({
      code: "ENVIRONMENT_NOT_FOUND",
      message: `The Python named by the option \`python\` cannot run the worker: ${python} does not exist.`,
    });
  });

  test("a Python without torch is ENVIRONMENT_BROKEN and told how to get it", async () => {
    await using machine = await testMachine();
    await machine.python(join(machine.bin, "python3"));
    const python = await machine.python(join(machine.root, "other/python"), "no-torch");
    const at = { ...machine.at, environ: { ...machine.at.environ, ISOTORCH_PYTHON: python } };
    await expect(findEnvironment({ at })).rejects.toMatchObject({
      code: "ENVIRONMENT_BROKEN",
      message: expect.stringContaining("named by ISOTORCH_PYTHON"),
      hint: expect.stringContaining(`${python} -m pip install torch`),
    });
  });

  test.each([
    ["python2", "Python 2.7.18 is older than 3.9"],
    ["python36", "Python 3.6.15 is older than 3.9"],
    ["python38", "Python 3.8.18 is older than 3.9"],
    ["old-torch", "torch 1.10.2 is older than 1.12"],
    ["broken", "is not a working Python (error while loading shared libraries"],
    ["crashes", "the probe failed (Fatal Python error: init_fs_encoding)"],
  ])("an interpreter that is %s says so", async (is, reason) => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.root, "other/python"), is);
    await expect(findEnvironment({ python, at: machine.at })).rejects.toMatchObject({
      code: "ENVIRONMENT_BROKEN",
      message: expect.stringContaining(reason),
    });
  });

  test("a file that is not executable, and a directory, are told apart from a Python", async () => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.root, "other/python"));
    await chmod(python, 0o644);
    const [file] = await listCandidates({ python, at: machine.at });
    const [folder] = await listCandidates({ python: machine.root, at: machine.at });
    expect(file).toMatchObject({ accepted: false, reason: expect.stringContaining("EACCES") });
    expect(folder).toMatchObject({ accepted: false, reason: "is not a file" });
  });

  test("an interpreter that hangs is given up and leaves no process behind", async () => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.root, "other/python"), "hangs");
    const started = Date.now();
    const [candidate] = await listCandidates({ python, probeTimeoutMs: 300, at: machine.at });
    expect(candidate).toMatchObject({ accepted: false, reason: "did not answer within 0.3 s" });
    expect(Date.now() - started).toBeLessThan(20_000);
    const child = Number(readFileSync(`${python}.child`, "utf8"));
    await vi.waitFor(() => expect(isRunning(child)).toBe(false));
  });

  test("an environment name that no conda knows, and `python` with `env`, are refused", async () => {
    await using machine = await testMachine();
    await expect(findEnvironment({ env: "nowhere", at: machine.at })).rejects.toMatchObject({
      code: "ENVIRONMENT_NOT_FOUND",
      message: 'No conda environment is named "nowhere".',
    });
    await expect(findEnvironment({ env: "a", python: "b", at: machine.at })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
  });

  test("an aborted search is ABORTED", async () => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.root, "other/python"), "hangs");
    const search = findEnvironment({ python, at: machine.at, signal: AbortSignal.timeout(100) });
    await expect(search).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe.skipIf(process.platform === "win32")("the search", () => {
  test("that finds nothing lists every candidate with its reason and says `npx isotorch setup`", async () => {
    await using machine = await testMachine();
    await machine.python(join(machine.bin, "python3"), "no-torch");
    await machine.python(join(machine.root, "usr/bin/python3"), "python38");
    const at = {
      ...machine.at,
      environ: { ...machine.at.environ, CONDA_PREFIX: join(machine.root, "gone") },
    };
    const error = await findEnvironment({ at }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "ENVIRONMENT_NOT_FOUND",
      hint: expect.stringContaining("npx isotorch setup"),
    });
    expect(String(error)).toContain(`${machine.root}/gone/bin/python (CONDA_PREFIX): does not exist`);
    expect(String(error)).toContain("usr/bin/python3 (system): Python 3.8.18 is older than 3.9");
    expect(String(error)).toContain("python3 (PATH): Python 3.11.2 without torch, torchvision");
  });

  test("takes the recorded environment, then conda's, then the active venv, then the system's", async () => {
    await using machine = await testMachine();
    const { root } = machine;
    const recorded = await machine.python(join(root, "recorded/bin/python"));
    const active = await machine.python(join(root, "active/bin/python"));
    const named = await machine.python(join(root, "home/miniforge3/envs/isotorch/bin/python"));
    const listed = await machine.python(join(root, "elsewhere/isotorch/bin/python"));
    const venv = await machine.python(join(root, "venv/bin/python"));
    const system = await machine.python(join(root, "usr/bin/python3"));
    const onPath = await machine.python(join(machine.bin, "python3"));
    await writeRecord({ python: recorded, prefix: "", via: "venv" }, machine.at);
    await mkdir(join(root, "home/.conda"));
    await writeFile(
      join(root, "home/.conda/environments.txt"),
      `${root}/elsewhere/isotorch\n${root}/elsewhere/other\n`,
    );
    const environ = {
      ...machine.at.environ,
      CONDA_PREFIX: join(root, "active"),
      VIRTUAL_ENV: join(root, "venv"),
    };
    const list = await listCandidates({ at: { ...machine.at, environ } });
    const seen = list.filter(({ python }) => python.startsWith(root));
    expect(seen.map(({ python }) => python)).toEqual([recorded, active, named, listed, venv, system, onPath]);
    expect(seen.map(({ kind }) => kind)).toEqual([
      "recorded",
      ...Array<string>(3).fill("conda"),
      ...Array<string>(3).fill("system"),
    ]);
    expect(await findEnvironment({ at: { ...machine.at, environ } })).toMatchObject({
      python: recorded,
      kind: "recorded",
      prefix: join(root, "recorded"),
      versions: { python: "3.11.2", torch: "1.13.0a0+gitunknown" },
      variables: {},
    });
  });

  test("names no interpreter twice, yet keeps a virtual environment that is a link to it", async () => {
    await using machine = await testMachine();
    const system = await machine.python(join(machine.root, "usr/bin/python3"));
    await symlink(system, join(machine.bin, "python3"));
    await symlink(system, join(machine.bin, "python"));
    const venv = join(machine.root, "venv");
    await mkdir(join(venv, "bin"), { recursive: true });
    await writeFile(join(venv, "pyvenv.cfg"), "home = /usr/bin\n");
    await symlink(system, join(venv, "bin/python3"));
    const environ = { ...machine.at.environ, PATH: `${machine.at.environ["PATH"]}:${venv}/bin` };
    const list = await listCandidates({ at: { ...machine.at, environ } });
    expect(list.map(({ python }) => python)).toEqual([system, join(venv, "bin/python3")]);
  });

  test("bears a site customisation that prints, spaces in the path, and a bare name", async () => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.bin, "python3.11"), "chatty");
    expect(await findEnvironment({ python: "python3.11", at: machine.at })).toMatchObject({
      python,
      kind: "explicit",
    });
  });

  test("applies conda's activation as data", async () => {
    await using machine = await testMachine();
    const prefix = join(machine.root, "home/micromamba/envs/isotorch");
    await machine.python(join(prefix, "bin/python"));
    await mkdir(join(prefix, "conda-meta"));
    await mkdir(join(prefix, "etc/conda/env_vars.d"), { recursive: true });
    await writeFile(join(prefix, "etc/conda/env_vars.d/a.json"), '{"LEVEL":"a","ONLY_A":"1","DROPPED":"x"}');
    await writeFile(join(prefix, "etc/conda/env_vars.d/b.json"), '{"LEVEL":"b"}');
    await writeFile(join(prefix, "etc/conda/env_vars.d/broken.json"), "{");
    const state = { version: 1, env_vars: { LEVEL: "user", DROPPED: "***unset***" } };
    await writeFile(join(prefix, "conda-meta/state"), JSON.stringify(state));
    const found = await findEnvironment({ env: "isotorch", at: machine.at });
    expect(found).toMatchObject({ kind: "explicit", prefix });
    expect(found.variables).toEqual({
      LEVEL: "user",
      ONLY_A: "1",
      PATH: `${prefix}/bin:${machine.at.environ["PATH"]}`,
      CONDA_PREFIX: prefix,
      CONDA_DEFAULT_ENV: "isotorch",
    });
  });
});

describe("paths on Windows", () => {
  const environ = {
    Path: "C:\\Windows",
    CONDA_EXE: "D:\\conda\\Scripts\\conda.exe",
    LOCALAPPDATA: "C:\\Local",
  };
  const at = surroundings({ platform: "win32", path: win32, home: "C:\\Users\\me", environ });

  test("a conda prefix has its interpreter at its top and six directories for the PATH", () => {
    expect(condaPython("D:\\conda\\envs\\isotorch", at)).toBe("D:\\conda\\envs\\isotorch\\python.exe");
    expect(activationPaths("D:\\e", at)).toEqual([
      "D:\\e",
      "D:\\e\\Library\\mingw-w64\\bin",
      "D:\\e\\Library\\usr\\bin",
      "D:\\e\\Library\\bin",
      "D:\\e\\Scripts",
      "D:\\e\\bin",
    ]);
  });

  test("roots come from CONDA_EXE, the home and the shared program directories", async () => {
    const roots = await condaRoots(at);
    expect(roots).toContain("D:\\conda");
    expect(roots).toContain("C:\\Users\\me\\miniforge3");
    expect(roots).toContain("C:\\Local\\miniconda3");
    expect(roots.every((root) => win32.isAbsolute(root))).toBe(true);
  });

  test("no system interpreter is assumed, and a prefix that is not conda's sets nothing", async () => {
    expect(at.systemPythons).toEqual([]);
    expect(await activationOf("D:\\e", at)).toMatchObject({ variables: {}, front: [] });
  });
});

function place(environ: NodeJS.ProcessEnv): string {
  return configDirectory(surroundings({ environ, platform: "linux" }));
}

test("settings live where ISOTORCH_CONFIG_DIR or XDG_CONFIG_HOME say", () => {
  expect(place({ HOME: "/h" })).toBe("/h/.config/isotorch");
  expect(place({ HOME: "/h", XDG_CONFIG_HOME: "/x" })).toBe("/x/isotorch");
  expect(place({ HOME: "/h", XDG_CONFIG_HOME: "/x", ISOTORCH_CONFIG_DIR: "/own" })).toBe("/own");
});

test("versions compare by their numbers", () => {
  expect(isOlder("1.9.0", "1.12")).toBe(true);
  expect(isOlder("1.12.0a0+git", "1.12")).toBe(false);
  expect(isOlder("2.0", "1.12")).toBe(false);
  expect(isOlder("3.9.0", "3.9")).toBe(false);
});

const REAL = "/usr/bin/python3";
const hasTorch = (): boolean => {
  if (!existsSync(REAL)) return false;
  const code =
    "import importlib.util as u, sys; sys.exit(0 if u.find_spec('torchvision') and u.find_spec('zmq') else 1)";
  try {
    execFileSync(REAL, ["-I", "-c", code]);
    return true;
  } catch {
    return false;
  }
};

/** What a Python computes that imports torch. */
function importsMs(): number {
  const before = childrenMs();
  execFileSync(REAL, ["-c", "import torch"]);
  return childrenMs() - before;
}

test.skipIf(!hasTorch())(
  "the distribution's own Python fits and is probed without importing torch",
  async () => {
    const before = childrenMs();
    const found = await findEnvironment({ python: REAL });
    expect(childrenMs() - before).toBeLessThan(importsMs() / 2);
    expect(found).toMatchObject({ python: REAL, kind: "explicit", variables: {} });
    for (const name of ["python", "torch", "torchvision", "pillow", "pyzmq", "msgpack", "numpy"]) {
      expect(found.versions[name]).toMatch(/^\d+\.\d+/);
    }
  },
);
