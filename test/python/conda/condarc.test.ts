import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, win32 } from "node:path";
import { describe, expect, test } from "vitest";
import { configuredFolders, foldersInCondarc } from "../../../src/python/conda/condarc.ts";
import { surroundings } from "../../../src/python/surroundings.ts";
import { testMachine } from "../../fixtures/environments/machine.ts";

describe("envs_dirs is read in every spelling", () => {
  test.each([
    ["block", "envs_dirs:\n  - /a\n  - /b c\nauto_update: false\n", ["/a", "/b c"]],
    ["block without indentation", "envs_dirs:\n- /a\n- /b\nchannels:\n- x\n", ["/a", "/b"]],
    [
      "block with comments and empty lines",
      "envs_dirs:  #!final\n  # mine\n\n  - /a  #!top\n  - /b#c # d\n",
      ["/a", "/b#c"],
    ],
    ["brackets", "channels: [x]\nenvs_dirs: [/a, '/b, c', \"/d]\"]  #!final\n", ["/a", "/b, c", "/d]"]],
    ["brackets over lines", "envs_dirs: [\n  /a, # first\n  /b,\n]\nx: [/c]\n", ["/a", "/b"]],
    ["envs_path", "envs_path:\n  - /a\n", ["/a"]],
    ["quoted key", '"envs_dirs":\n  - /a\n', ["/a"]],
    [
      "quotes",
      "envs_dirs:\n  - 'it''s'\n  - \"C:\\\\envs\"\n  - 'C:\\e # f'\n",
      ["it's", String.raw`C:\envs`, String.raw`C:\e # f`],
    ],
    [
      "Windows",
      "\uFEFFenvs_dirs:\r\n  - D:\\envs\r\n  - E:\\my envs\r\n",
      [String.raw`D:\envs`, String.raw`E:\my envs`],
    ],
    [
      "an apostrophe within",
      "envs_dirs:\n  - /home/o'neil/envs  # mine\n  - /b\n",
      ["/home/o'neil/envs", "/b"],
    ],
    ["none", "pkgs_dirs:\n  - /a\nx_envs_dirs:\n  - /b\n", []],
    ["empty", "envs_dirs: []\n", []],
  ])("%s", (_what, text, folders) => {
    expect(foldersInCondarc(text)).toEqual(folders);
  });
});

describe.skipIf(process.platform === "win32")("and in every place", () => {
  test("the most important first", async () => {
    await using machine = await testMachine();
    const { root } = machine;
    const [home, conda] = [join(root, "home"), join(root, "conda")];
    const environ = {
      ...machine.at.environ,
      CONDA_ENVS_DIRS: `${root}/dirs:relative`,
      CONDA_ENVS_PATH: "~/path",
      CONDARC: join(root, "own.yml"),
      CONDA_PREFIX: join(root, "active"),
      XDG_CONFIG_HOME: join(root, "xdg"),
      SCRATCH: join(root, "scratch"),
    };
    const files = {
      "own.yml": "$SCRATCH/own",
      "active/.condarc": "${SCRATCH}/active",
      "home/.condarc": "~/condarc",
      "home/.mambarc": "~/mambarc",
      "home/.conda/condarc.d/10-lab.yml": `${root}/lab`,
      "home/.conda/condarc.d/20-lab.yaml": `${root}/lab 2`,
      "home/.conda/condarc.d/README": `${root}/none`,
      "home/.conda/condarc": `${root}/conda dir`,
      "home/.config/conda/.condarc": `${root}/config`,
      "xdg/conda/condarc": `${root}/xdg`,
      "conda/.condarc": `${root}/$NOWHERE/root`,
    };
    for (const [name, folder] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), `envs_dirs:\n  - ${folder}\n`);
    }
    const found = await configuredFolders([conda], { ...machine.at, environ });
    expect(found).toEqual([
      `${root}/dirs`,
      `${home}/path`,
      `${root}/scratch/own`,
      `${root}/scratch/active`,
      `${home}/condarc`,
      `${home}/mambarc`,
      `${root}/lab`,
      `${root}/lab 2`,
      `${root}/conda dir`,
      `${root}/config`,
      `${root}/xdg`,
      `${root}/$NOWHERE/root`,
    ]);
  });

  test("with the variables of Windows", async () => {
    const at = surroundings({
      platform: "win32",
      path: win32,
      home: String.raw`C:\Users\me`,
      environ: {
        CONDA_ENVS_DIRS: String.raw`%scratch%\envs;~\envs;$Scratch\x;%NOWHERE%\y`,
        Scratch: String.raw`S:\me`,
      },
    });
    expect(await configuredFolders([], at)).toEqual([
      String.raw`S:\me\envs`,
      String.raw`C:\Users\me\envs`,
      String.raw`S:\me\x`,
    ]);
  });
});
