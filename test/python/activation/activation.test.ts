import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { activated, activationOf } from "../../../src/python/activation/activation.ts";
import { testMachine, type TestMachine } from "../../fixtures/environments/machine.ts";

async function script(file: string, text: string): Promise<void> {
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, text);
  await chmod(file, 0o755);
}

async function prefixIn(machine: TestMachine): Promise<string> {
  const prefix = join(machine.root, "home/miniforge3/envs/iso torch");
  await mkdir(join(prefix, "conda-meta"), { recursive: true });
  return prefix;
}

describe.skipIf(process.platform === "win32")("activation", () => {
  test("runs the scripts of the packages once and takes what they change", async () => {
    await using machine = await testMachine({ KEPT: "as it was", CONDA_SHLVL: "3" });
    const prefix = await prefixIn(machine);
    const folder = join(prefix, "etc/conda/activate.d");
    await script(
      join(folder, "a.sh"),
      'export MKL_INTERFACE_LAYER="LP64,GNU"\nexport SEEN_LEVEL="${CONDA_SHLVL-none}"\necho noise\n',
    );
    await script(
      join(folder, "b.sh"),
      'export FROM="$CONDA_PREFIX of $MKL_INTERFACE_LAYER"\nexport PATH="/from/script:$PATH"\ncd /\n',
    );
    await script(join(folder, "c.fish"), "exit 1\n");
    const activation = await activationOf(prefix, machine.at);
    expect(activation.variables).toEqual({
      CONDA_PREFIX: prefix,
      CONDA_DEFAULT_ENV: "iso torch",
      MKL_INTERFACE_LAYER: "LP64,GNU",
      SEEN_LEVEL: "none",
      FROM: `${prefix} of LP64,GNU`,
    });
    expect(activation.front).toEqual(["/from/script", join(prefix, "bin")]);
    expect(activated(activation, machine.at)["PATH"]).toBe(
      `/from/script:${join(prefix, "bin")}:${machine.at.environ["PATH"]}`,
    );
    expect(activation.watch).toEqual(expect.arrayContaining([folder, join(folder, "a.sh")]));
  });

  test("goes on without scripts that fail, with what the files say", async () => {
    await using machine = await testMachine();
    const prefix = await prefixIn(machine);
    await script(join(prefix, "etc/conda/activate.d/a.sh"), "export A=1\nexit 3\n");
    expect((await activationOf(prefix, machine.at)).variables).toEqual({
      CONDA_PREFIX: prefix,
      CONDA_DEFAULT_ENV: "iso torch",
    });
  });

  test("takes conda's own JSON where there is a conda, without what is for prompts", async () => {
    await using machine = await testMachine();
    await machine.tool("conda");
    const prefix = await prefixIn(machine);
    const { variables, front } = await activationOf(prefix, machine.at);
    expect(variables).toEqual({ CONDA_PREFIX: prefix, CONDA_DEFAULT_ENV: "isotorch", FROM_CONDA: "yes" });
    expect(front).toEqual([join(prefix, "bin")]);
  });

  test.each([
    ["fails", "echo broken >&2\nexit 1\n"],
    ["answers something else", 'echo "{\\"path\\":{}}"\n'],
    ["is too old for JSON", 'echo "export PATH=x"\n'],
  ])("takes the environment's files where conda %s", async (_how, text) => {
    await using machine = await testMachine();
    await script(join(machine.bin, "conda"), `#!/bin/sh\n${text}`);
    const prefix = await prefixIn(machine);
    await mkdir(join(prefix, "etc/conda/env_vars.d"), { recursive: true });
    await writeFile(join(prefix, "etc/conda/env_vars.d/a.json"), '{"FROM_FILE":"yes"}');
    expect((await activationOf(prefix, machine.at)).variables).toMatchObject({ FROM_FILE: "yes" });
  });

  test("asks pixi for a prefix that pixi made, by its manifest", async () => {
    await using machine = await testMachine();
    const prefix = join(machine.root, "project/.pixi/envs/default");
    await mkdir(join(prefix, "conda-meta"), { recursive: true });
    const manifest = join(machine.root, "project/pixi.toml");
    await writeFile(
      join(prefix, "conda-meta/pixi"),
      JSON.stringify({ manifest_path: manifest, environment_name: "default", pixi_version: "0.49.0" }),
    );
    await script(
      join(machine.bin, "pixi"),
      `#!/bin/sh\nprintf '{"environment_variables":{"PATH":"${prefix}/bin:/usr/bin","ARGS":"%s","PIXI_PROMPT":"(p) "}}' "$*"\n`,
    );
    const { variables, front } = await activationOf(prefix, machine.at);
    expect(variables).toEqual({
      ARGS: `shell-hook --json --no-install --manifest-path ${manifest} --environment default`,
    });
    expect(front).toEqual([join(prefix, "bin")]);
  });
});
