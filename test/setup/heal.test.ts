import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeBroken } from "../../src/setup/heal.ts";

const NAME = "pytorch-1.12.1-py3.10_0";

describe("a package in conda's cache", () => {
  let cache = "";
  const folder = (): string => join(cache, NAME);

  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), "isotorch cache "));
    await mkdir(join(folder(), "info"), { recursive: true });
    await mkdir(join(folder(), "lib"));
    await writeFile(join(cache, `${NAME}.conda`), "the archive");
    await writeFile(join(folder(), "info/repodata_record.json"), "{}");
    await writeFile(join(folder(), "lib/libtorch.so"), "12345");
    await symlink("libtorch.so", join(folder(), "lib/libtorch.so.1"));
    const paths = [
      { _path: "lib/libtorch.so", path_type: "hardlink", size_in_bytes: 5 },
      { _path: "lib/libtorch.so.1", path_type: "softlink", size_in_bytes: 5 },
    ];
    await writeFile(join(folder(), "info/paths.json"), JSON.stringify({ paths, paths_version: 1 }));
  });
  afterEach(() => rm(cache, { recursive: true, force: true }));

  const heal = (): Promise<string[]> => removeBroken([`${NAME}.conda`, "gone-1-0.tar.bz2"], [cache]);

  test("that is whole stays", async () => {
    expect(await heal()).toEqual([]);
    expect(existsSync(folder())).toBe(true);
  });

  test.each([
    ["lacks a file", () => rm(join(folder(), "lib/libtorch.so"))],
    ["has a file in part", () => writeFile(join(folder(), "lib/libtorch.so"), "123")],
    ["does not say what it has", () => rm(join(folder(), "info/paths.json"))],
  ])("that %s is removed, and its archive stays", async (_what, breakIt) => {
    await breakIt();
    expect(await heal()).toEqual([NAME]);
    expect(existsSync(folder())).toBe(false);
    expect(existsSync(join(cache, `${NAME}.conda`))).toBe(true);
  });
});
