import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, posix, win32 } from "node:path";
import { describe, expect, test } from "vitest";
import { condaPrefixes, condaPython, everyPrefix, prefixOf } from "../../../src/python/conda/conda.ts";
import { condaRoots } from "../../../src/python/conda/roots.ts";
import { listCandidates } from "../../../src/python/environment.ts";
import { findManager } from "../../../src/python/conda/managers.ts";
import { pythonsIn, readRegistry, registeredPythons } from "../../../src/python/conda/registry.ts";
import { surroundings } from "../../../src/python/surroundings.ts";
import { testMachine } from "../../fixtures/environments/machine.ts";

const WINDOWS = surroundings({
  platform: "win32",
  path: win32,
  home: String.raw`C:\Users\me`,
  cwd: String.raw`D:\work\project`,
  environ: {
    Path: String.raw`C:\Windows`,
    LOCALAPPDATA: String.raw`C:\Users\me\AppData\Local`,
    APPDATA: String.raw`C:\Users\me\AppData\Roaming`,
    ProgramData: String.raw`C:\ProgramData`,
    SystemDrive: "C:",
  },
});
const MAC = surroundings({
  platform: "darwin",
  path: posix,
  home: "/Users/me",
  cwd: "/Users/me/w",
  environ: {},
});

describe("where the conda family is looked for", () => {
  test.each([
    String.raw`C:\Users\me\anaconda3`,
    String.raw`C:\Users\me\AppData\Local\miniconda3`,
    String.raw`C:\Users\me\AppData\Local\Continuum\anaconda3`,
    String.raw`C:\Users\me\AppData\Roaming\mamba`,
    String.raw`C:\ProgramData\anaconda3`,
    String.raw`C:\ProgramData\miniforge3`,
    String.raw`C:\tools\miniconda3`,
    String.raw`C:\Users\me\scoop\apps\miniforge\current`,
  ])("on Windows: %s", async (root) => expect(await condaRoots(WINDOWS)).toContain(root));

  test.each([
    "/Users/me/opt/anaconda3",
    "/opt/homebrew/Caskroom/miniforge/base",
    "/usr/local/Caskroom/miniconda/base",
    "/opt/homebrew/anaconda3",
    "/Users/me/.local/share/mamba",
  ])("on macOS: %s", async (root) => expect(await condaRoots(MAC)).toContain(root));

  test("a root that is not absolute is none, and none is named twice", async () => {
    const environ = { MAMBA_ROOT_PREFIX: "here", CONDA_EXE: "/Users/me/miniforge3/bin/conda" };
    const roots = await condaRoots({ ...MAC, environ });
    expect(roots).not.toContain("here");
    expect(roots.filter((root) => root === "/Users/me/miniforge3")).toHaveLength(1);
  });

  test("named environments on Windows: folders of variables, projects of pixi, then the roots", async () => {
    const environ = { ...WINDOWS.environ, CONDA_ENVS_PATH: String.raw`E:\envs;relative` };
    const prefixes = await condaPrefixes("isotorch", { ...WINDOWS, environ });
    expect(prefixes.slice(0, 4)).toEqual([
      String.raw`E:\envs\isotorch`,
      String.raw`D:\work\project\.pixi\envs\isotorch`,
      String.raw`D:\work\.pixi\envs\isotorch`,
      String.raw`D:\.pixi\envs\isotorch`,
    ]);
    expect(prefixes).toContain(String.raw`C:\ProgramData\anaconda3\envs\isotorch`);
  });

  test("an interpreter belongs to the prefix that it lies in", () => {
    for (const [prefix, at] of [
      [String.raw`D:\conda\envs\isotorch`, WINDOWS],
      ["/opt/conda/envs/isotorch", MAC],
    ] as const) {
      expect(prefixOf(condaPython(prefix, at), at)).toBe(prefix);
    }
  });
});

describe("Windows' registry", () => {
  const TEXT = [
    "Windows Registry Editor Version 5.00",
    "",
    String.raw`[HKEY_CURRENT_USER\Software\Python\ContinuumAnalytics]`,
    String.raw`"DisplayName"="Anaconda, Inc."`,
    "",
    String.raw`[HKEY_CURRENT_USER\Software\Python\ContinuumAnalytics\Anaconda310-64\InstallPath]`,
    String.raw`@="D:\\Ana conda3"`,
    String.raw`"ExecutablePath"="D:\\Ana conda3\\python.exe"`,
    String.raw`"WindowedExecutablePath"="D:\\Ana conda3\\pythonw.exe"`,
    "",
    String.raw`[HKEY_LOCAL_MACHINE\Software\Python\PythonCore\3.11\InstallPath]`,
    String.raw`@="C:\\Program Files\\Python311\\"`,
    "",
    String.raw`[HKEY_LOCAL_MACHINE\Software\Python\PythonCore\3.11\PythonPath]`,
    String.raw`@="C:\\Program Files\\Python311\\Lib"`,
    "",
    String.raw`[HKEY_CURRENT_USER\Software\Python\PythonCore\3.12\InstallPath]`,
    String.raw`"ExecutablePath"="C:\\用户\\张三\\python.exe"`,
    "",
    String.raw`[HKEY_CURRENT_USER\Software\Python\PythonCore\3.13\InstallPath]`,
    '"ExecutablePath"=hex(2):43,00,3a,00,5c,00,28,75,37,62,\\',
    "  5c,00,70,00,79,00,2e,00,65,00,78,00,65,00,00,00",
  ].join("\r\n");
  const exported = (text: string): Uint8Array => Buffer.from(`\uFEFF${text}\r\n`, "utf16le");

  test("names interpreters in any script, by their path or by their directory", () => {
    expect(pythonsIn(exported(TEXT), WINDOWS)).toEqual({
      pythons: [
        String.raw`D:\Ana conda3\python.exe`,
        String.raw`C:\Program Files\Python311\python.exe`,
        String.raw`C:\用户\张三\python.exe`,
        String.raw`C:\用户\py.exe`,
      ],
      complaints: [],
    });
  });

  test("is asked for the user and the machine, and on Windows alone", async () => {
    const asked: string[] = [];
    const registry = async (key: string): Promise<Uint8Array | undefined> => {
      asked.push(key);
      return key.startsWith("HKCU") ? exported(TEXT) : undefined;
    };
    expect(await registeredPythons({ ...WINDOWS, registry })).toHaveLength(4);
    expect(asked).toHaveLength(3);
    expect(await registeredPythons({ ...MAC, registry })).toEqual([]);
    expect(asked).toHaveLength(3);
  });

  test("leaves out what is not Unicode, and what is in another encoding, and says so", async () => {
    const half = TEXT.replace("用户", "\uD800");
    expect(pythonsIn(exported(half), WINDOWS)).toMatchObject({
      pythons: expect.not.arrayContaining([expect.stringContaining("张三")]),
      complaints: [expect.stringMatching(/PythonCore\\3\.12\\InstallPath .* not Unicode/)],
    });
    const registry = async (): Promise<Uint8Array> => Buffer.from(TEXT, "latin1");
    const { pythons, complaints } = await readRegistry({ ...WINDOWS, registry });
    expect(pythons).toEqual([]);
    expect(complaints).toHaveLength(3);
    expect(complaints[0]).toMatch(/HKCU\\Software\\Python cannot be read: its export is not UTF-16/);
  });
});

describe.skipIf(process.platform === "win32")("on this machine", () => {
  test("environments are found by .condarc, by pixi's projects and by the list of all environments", async () => {
    await using machine = await testMachine();
    const { root } = machine;
    const prefixes = [
      join(root, "shared envs/isotorch"),
      join(root, "project/.pixi/envs/isotorch"),
      join(root, "elsewhere/isotorch"),
    ];
    for (const prefix of prefixes) await mkdir(join(prefix, "conda-meta"), { recursive: true });
    await mkdir(join(root, "home/.conda"));
    await writeFile(join(root, "home/.conda/environments.txt"), `${prefixes[2]}\n`);
    await writeFile(
      join(root, "home/.condarc"),
      `channels:\n  - conda-forge\nenvs_dirs:\n  - "${root}/shared envs"\n  - ~/mine\nauto_update: false\n`,
    );
    const at = { ...machine.at, cwd: join(root, "project/src") };
    const found = await condaPrefixes("isotorch", at);
    expect(found.slice(0, 3)).toEqual([
      prefixes[0],
      join(root, "home/mine/isotorch"),
      join(root, "project/src/.pixi/envs/isotorch"),
    ]);
    expect(found).toEqual(expect.arrayContaining(prefixes));
    expect(await everyPrefix(at)).toEqual(prefixes);
  });

  test("an environment of any name serves last, and one without PyTorch is refused without starting its Python", async () => {
    await using machine = await testMachine();
    const { root } = machine;
    const roots = join(root, "home/miniforge3/envs");
    for (const [name, modules] of [
      ["bare", ["numpy"]],
      ["vision", ["torch", "torchvision", "PIL", "zmq", "msgpack", "numpy"]],
    ] as const) {
      const python = await machine.python(join(roots, name, "bin/python"));
      await writeFile(`${python}.runs`, "");
      await mkdir(join(roots, name, "conda-meta"));
      await writeFile(join(roots, name, "conda-meta/python-3.10.14-hd12c33a_0_cpython.json"), "{}");
      for (const module of modules) {
        await mkdir(join(roots, name, "lib/python3.10/site-packages", module), { recursive: true });
      }
    }
    await machine.python(join(machine.bin, "python3"), "no-torch");
    const list = (await listCandidates({ at: machine.at })).filter(({ python }) => python.startsWith(root));
    expect(list.map(({ source, accepted }) => [source, accepted])).toEqual([
      ["PATH", false],
      [join(roots, "bare"), false],
      [join(roots, "vision"), true],
    ]);
    expect(list[1]).toMatchObject({
      reason: "Python 3.10.14 without torch, torchvision, pillow, pyzmq, msgpack",
    });
    const notes = (name: string): string => readFileSync(join(roots, name, "bin/python.runs"), "utf8");
    expect([notes("bare"), notes("vision")]).toEqual(["", expect.stringMatching(/ probe\n$/)]);
  });

  test("one that was left half made is named with the reason why it is passed over", async () => {
    await using machine = await testMachine();
    const prefix = join(machine.root, "home/miniforge3/envs/isotorch");
    await mkdir(join(prefix, "conda-meta"), { recursive: true });
    await writeFile(join(prefix, "conda-meta/numpy-1.26.4-py310_0.json"), "{}");
    const list = await listCandidates({ at: machine.at });
    expect(list.find(({ source }) => source === prefix)).toMatchObject({
      accepted: false,
      reason: "is a conda environment without Python",
    });
  });

  test("the manager is found off the PATH too: by its variable, and in the usual places", async () => {
    await using machine = await testMachine();
    expect(await findManager(machine.at)).toBeUndefined();
    const inRoot = join(machine.root, "home/miniforge3/condabin/conda");
    await mkdir(join(inRoot, ".."), { recursive: true });
    await writeFile(inRoot, "");
    expect(await findManager(machine.at)).toEqual({ kind: "conda", file: inRoot });
    const named = join(machine.root, "micromamba");
    await writeFile(named, "");
    const environ = { ...machine.at.environ, MAMBA_EXE: named };
    expect(await findManager({ ...machine.at, environ })).toEqual({ kind: "micromamba", file: named });
    const onPath = await machine.tool("conda");
    expect(await findManager({ ...machine.at, environ })).toEqual({ kind: "conda", file: onPath });
  });
});
