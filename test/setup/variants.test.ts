import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { recipeOf, VARIANTS } from "../../src/setup/conda/variant.ts";
import { isOlder, OLDEST_PYTHON, OLDEST_TORCH } from "../../src/python/probe.ts";

/** What the worker says that it needs, by the names that it imports. */
const probe = readFileSync(
  new URL("../../python/isotorch_worker/environment/probe.py", import.meta.url),
  "utf8",
);
const NEEDED = [...probe.matchAll(/^ {4}"(\w+)": "\w+",$/gm)].map((line) => line[1] ?? "");
/** By which names conda has them. */
const CONDA_NAMES: Readonly<Record<string, string>> = {
  torch: "pytorch",
  PIL: "pillow",
  zmq: "pyzmq",
  msgpack: "msgpack-python",
};

describe.each(VARIANTS)("the environment file of %s", (variant) => {
  const recipe = recipeOf(variant);
  const { file } = recipe;
  const text = readFileSync(file, "utf8");
  const specs = [...text.matchAll(/^ {2}- ([\w-]+)([=<>].*)?$/gm)].map((line) => [
    line[1] ?? "",
    line[2] ?? "",
  ]);
  const wanted = new Map(specs.map(([name = "", version = ""]) => [name, version]));
  const number = (name: string): string => /[\d.]+/.exec(wanted.get(name) ?? "")?.[0] ?? "";

  test("has everything that the worker imports", () => {
    expect(NEEDED).toHaveLength(6);
    for (const module of NEEDED) expect([...wanted.keys()]).toContain(CONDA_NAMES[module] ?? module);
  });

  test("has a Python and a PyTorch that the worker runs on", () => {
    expect(isOlder(number("python"), OLDEST_PYTHON)).toBe(false);
    expect(isOlder(number("python"), "3.14")).toBe(true);
    expect(isOlder(number("pytorch"), OLDEST_TORCH)).toBe(false);
  });

  test("keeps NumPy 2 and a newer mkl away from a PyTorch that was built before them", () => {
    const isOld = isOlder(number("pytorch").replace(/\.$/, ".99"), "2.2");
    expect(wanted.get("numpy")).toBe(isOld ? "<2" : "");
    expect(wanted.get("mkl")).toBe(isOld ? "=2024.0.*" : undefined);
  });

  test("says what the specs and channels that setup gives to conda say", () => {
    const [, channels = "", dependencies = ""] = /^channels:\n(.*)^dependencies:\n(.*)/ms.exec(text) ?? [];
    const items = (list: string): string[] =>
      [...list.matchAll(/^ {2}- (.+)$/gm)].map((item) => item[1] ?? "");
    expect(readFileSync(recipe.specs, "utf8")).toBe(`${items(dependencies).join("\n")}\n`);
    expect(recipe.channels).toEqual(items(channels));
  });

  test("pins no version that old conda reads as exact and new as the first numbers", () => {
    for (const [, version = ""] of specs) expect(version).not.toMatch(/^=\d+(\.\d+)?$/);
  });

  test("takes no channel with a licence of its own, and is part of the package", () => {
    const manifest: unknown = JSON.parse(
      readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
    );
    // Words that no conda takes for a channel.
    expect(["pytorch", "conda-forge"]).toEqual(expect.arrayContaining([...recipe.channels]));
    const names = [file, recipe.specs].map((path) => path.split("/").at(-1));
    expect(manifest).toMatchObject({ files: expect.arrayContaining(names) });
    expect(text).toMatch(/^name: isotorch$/m);
  });
});

test("the variants differ in what they compute with", () => {
  const texts = VARIANTS.map((variant) => readFileSync(recipeOf(variant).file, "utf8"));
  expect(texts.map((text) => /cudatoolkit=11\.3|cuda\*|=cpu\*/.exec(text)?.[0])).toEqual([
    "cudatoolkit=11.3",
    "cuda*",
    "=cpu*",
  ]);
});
