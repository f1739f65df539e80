import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type PrefixContents, readPrefix, refusalOf, torchBuild } from "../../../src/python/conda/prefix.ts";
import { surroundings } from "../../../src/python/surroundings.ts";
import { testMachine } from "../../fixtures/environments/machine.ts";

const ALL = ["torch", "torchvision", "PIL", "zmq", "msgpack", "numpy"];

/** A prefix with these files in `conda-meta` and these names in `site-packages`. */
async function prefixWith(
  meta: readonly string[],
  modules: readonly string[],
  site = "lib/python3.10/site-packages",
) {
  const machine = await testMachine();
  const prefix = join(machine.root, "prefix");
  await mkdir(join(prefix, "conda-meta"), { recursive: true });
  for (const name of meta) await writeFile(join(prefix, "conda-meta", name), "");
  for (const name of modules) {
    await mkdir(join(prefix, site, name), { recursive: true });
    if (name.endsWith(".dist-info")) await writeFile(join(prefix, site, name, "METADATA"), "Name: torch\n");
  }
  return { machine, prefix };
}

describe("an environment is refused from its files alone", () => {
  test.each([
    [["numpy-1.26.4-py310_0.json"], [], "is a conda environment without Python"],
    [["python-3.7.16-h7a1cb2a_0.json"], ALL, "Python 3.7.16 is older than 3.9"],
    [
      ["python-3.10.14-hd12c33a_0_cpython.json"],
      ["numpy", "PIL"],
      "Python 3.10.14 without torch, torchvision, pyzmq, msgpack",
    ],
    [
      ["python-3.10.14-hd12c33a_0_cpython.json", "pytorch-1.10.2-py3.10_cuda11.3_cudnn8.2.0_0.json"],
      ALL,
      "torch 1.10.2 is older than 1.12",
    ],
    [
      ["python-3.10.14-hd12c33a_0_cpython.json"],
      [...ALL, "torch-1.9.0+cpu.dist-info"],
      "torch 1.9.0+cpu is older than 1.12",
    ],
  ])("%j", async (meta, modules, reason) => {
    const { machine, prefix } = await prefixWith(meta, modules);
    await using _ = machine;
    const contents = await readPrefix(prefix, machine.at);
    expect(contents && refusalOf(contents)).toBe(reason);
  });

  test.each([
    [
      "everything is there",
      ["python-3.10.14-hd12c33a_0_cpython.json", "pytorch-1.12.1-py3.10_cpu_0.json"],
      ALL,
    ],
    ["conda-meta says nothing", [], []],
    ["packages are linked in from elsewhere", ["python-3.10.14-h0_0.json"], ["__editable__.torch-2.9.pth"]],
  ])("but not when %s", async (_why, meta, modules) => {
    const { machine, prefix } = await prefixWith(meta, modules);
    await using _ = machine;
    const contents = await readPrefix(prefix, machine.at);
    expect(contents).toBeDefined();
    expect(contents && refusalOf(contents)).toBeUndefined();
  });

  test("nor by what an interrupted installation of pip left: a dist-info without METADATA", async () => {
    const { machine, prefix } = await prefixWith(
      ["python-3.10.14-h0_0.json"],
      [...ALL, "torch-2.4.1.dist-info"],
    );
    await using _ = machine;
    await mkdir(join(prefix, "lib/python3.10/site-packages/torch-1.9.0.dist-info"));
    const contents = await readPrefix(prefix, machine.at);
    expect(contents).toMatchObject({ torch: "2.4.1" });
    expect(contents && refusalOf(contents)).toBeUndefined();
  });

  test("and a directory without conda-meta is no environment of conda", async () => {
    await using machine = await testMachine();
    expect(await readPrefix(machine.root, machine.at)).toBeUndefined();
  });
});

test.each([
  ["pytorch-1.12.1-py3.10_cuda11.3_cudnn8.3.2_0.json", "CUDA 11.3"],
  ["pytorch-2.4.1-cuda120_py312h_300.json", "CUDA 12.0"],
  ["pytorch-2.7.1-cuda126_mkl_py312_h30b5a27_300.json", "CUDA 12.6"],
  ["pytorch-2.7.1-cuda_129_mkl_py312_h_300.json", "CUDA 12.9"],
  ["pytorch-1.12.1-py3.10_cpu_0.json", "CPU"],
  ["pytorch-2.7.1-cpu_generic_py312_h_0.json", "CPU"],
  ["pytorch-2.0.0-py310_0.json", undefined],
])("the build of %s is for %s", async (name, build) => {
  const { machine, prefix } = await prefixWith([name], []);
  await using _ = machine;
  expect(torchBuild((await readPrefix(prefix, machine.at)) as PrefixContents)).toBe(build);
});

test("on Windows the packages lie in Lib, without the version of Python", async () => {
  const { machine, prefix } = await prefixWith(["python-3.10.14-h1_0.json"], ALL, "Lib/site-packages");
  await using _ = machine;
  const { path } = machine.at;
  const windows = surroundings({ platform: "win32", path, environ: {} });
  expect(await readPrefix(prefix, windows)).toMatchObject({ python: "3.10.14", missing: [] });
});
