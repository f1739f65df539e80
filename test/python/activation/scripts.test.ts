import { mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  activated,
  activationOf,
  type Activation,
  NO_ACTIVATION,
} from "../../../src/python/activation/activation.ts";
import { findEnvironment } from "../../../src/python/environment.ts";
import { recall, remember } from "../../../src/python/remembered.ts";
import { source } from "../../../src/python/activation/sourcing.ts";
import type { Surroundings } from "../../../src/python/surroundings.ts";
import { testMachine, type TestMachine } from "../../fixtures/environments/machine.ts";

/** A conda environment with a Python and these scripts; conda itself is not on the machine. */
async function prefixWith(machine: TestMachine, scripts: Record<string, string>): Promise<string> {
  const prefix = join(machine.root, "home/miniforge3/envs/iso torch");
  const folder = join(prefix, "etc/conda/activate.d");
  for (const made of [folder, join(prefix, "conda-meta"), join(prefix, "lib")])
    await mkdir(made, { recursive: true });
  for (const [name, text] of Object.entries(scripts)) await writeFile(join(folder, name), text);
  await machine.python(join(prefix, "bin/python"));
  return prefix;
}

async function withBash(machine: TestMachine): Promise<void> {
  await symlink("/bin/bash", join(machine.bin, "bash"));
}

/** The same machine from another shell. */
function shell({ at }: TestMachine, environ: NodeJS.ProcessEnv): Surroundings {
  return { ...at, environ: { ...at.environ, ...environ } };
}

/** What the scripts set, without what the files say. */
function set({ variables }: Pick<Activation, "variables">): Record<string, string> {
  const { CONDA_PREFIX: _prefix, CONDA_DEFAULT_ENV: _name, ...rest } = variables;
  return rest;
}

describe.skipIf(process.platform === "win32")("what the scripts set", () => {
  test("is found out in a shell that has it already", async () => {
    await using machine = await testMachine();
    const prefix = await prefixWith(machine, { "a.sh": 'export FOO=bar\nexport KEPT="${KEPT:-default}"\n' });
    const active = { CONDA_PREFIX: prefix, CONDA_SHLVL: "1", FOO: "bar", KEPT: "default" };
    for (const environ of [{}, active]) {
      const found = await activationOf(prefix, shell(machine, environ));
      expect(set(found)).toEqual({ FOO: "bar", KEPT: "default" });
    }
  });

  test("is nothing that the user has set, and nothing that a script only reads", async () => {
    await using machine = await testMachine();
    const text = '[ -n "$MINE" ] && SEEN=$MINE\nexport CHOICE="${CHOICE:-theirs}"\nunset NOTHING\n';
    const prefix = await prefixWith(machine, { "a.sh": text });
    const environ = { MINE: "1", CHOICE: "mine", OTHER: "2" };
    expect(set(await activationOf(prefix, shell(machine, environ)))).toEqual({});
  });

  test("goes in front of what the user has, once, from a plain shell and from an active one", async () => {
    await using machine = await testMachine();
    const text = 'export LD_LIBRARY_PATH="/env/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n';
    const prefix = await prefixWith(machine, { "a.sh": text });
    for (const LD_LIBRARY_PATH of ["/cuda", "/env/lib:/cuda"]) {
      const found = await activationOf(prefix, shell(machine, { LD_LIBRARY_PATH }));
      expect(set(found)).toEqual({ LD_LIBRARY_PATH: "/env/lib:/cuda" });
    }
  });

  test("is without the backups for `conda deactivate`, from which the user's own values come back", async () => {
    await using machine = await testMachine();
    const text = [
      'export CONDA_BACKUP_CC="$CC" _CONDA_SET_DATA="$DATA" JAVA_HOME_CONDA_BACKUP="$JAVA_HOME"',
      'export WAS="$CC" CC=env-cc DATA=/env/data JAVA_HOME=/env/jdk',
    ];
    const prefix = await prefixWith(machine, { "a.sh": `${text.join("\n")}\n` });
    const active = {
      CONDA_PREFIX: prefix,
      CC: "env-cc",
      CONDA_BACKUP_CC: "gcc",
      DATA: "/env/data",
      _CONDA_SET_DATA: "/own",
    };
    for (const environ of [{ CC: "gcc", DATA: "/own" }, active]) {
      const found = await activationOf(prefix, shell(machine, environ));
      expect(set(found)).toEqual({ WAS: "gcc", CC: "env-cc", DATA: "/env/data", JAVA_HOME: "/env/jdk" });
    }
  });

  test("keeps a directory that a script puts at the end of the search path", async () => {
    await using machine = await testMachine();
    const prefix = await prefixWith(machine, { "a.sh": 'PATH="$PATH:/at/the/end"\n' });
    expect((await activationOf(prefix, machine.at)).front).toEqual(["/at/the/end", join(prefix, "bin")]);
  });

  test("is asked of bash, for which the packages write, with nothing that bash reads for its user", async () => {
    await using machine = await testMachine();
    await withBash(machine);
    const profile = join(machine.root, "profile");
    await writeFile(profile, "export LATE=from-profile\nexit 1\n");
    const text = 'list=(a b)\n[[ -n ${list[1]} ]] && export SECOND="${list[1]}" LEFT="$#"\n';
    const prefix = await prefixWith(machine, { "a.sh": text });
    const found = await activationOf(prefix, shell(machine, { BASH_ENV: profile, SECOND: "mine" }));
    expect(set(found)).toEqual({ SECOND: "b", LEFT: "0" });
    expect(found.complaint).toBeNull();
  });
});

describe.skipIf(process.platform === "win32")("a script that fails", () => {
  describe.each(["bash", "sh"])("in %s", (kind) => {
    test.each([
      ["ends its shell", "export A=1\nexit 3\n", /ended its shell with exit status 3/],
      ["ends its shell quietly", "export A=1\nexit 0\n", /ended its shell with exit status 0/],
      ["kills its shell", "export A=1\nkill -9 $$\n", /ended its shell/],
      ["uses what is not set, strictly", 'set -u\nexport A="$NOT_SET"\n', /ended its shell.*NOT_SET/],
      ["cannot be read", "if then\n", /says: |ended its shell/],
    ])("and %s costs what it sets, and is named", async (_how, text, complaint) => {
      await using machine = await testMachine();
      if (kind === "bash") await withBash(machine);
      const prefix = await prefixWith(machine, {
        "a.sh": text,
        "b.sh": "export B=2\n",
        "c.sh": "export C=$B\n",
      });
      const found = await activationOf(prefix, machine.at);
      expect(set(found)).toEqual({ B: "2", C: "2" });
      expect(found.complaint).toMatch(complaint);
      expect(found.complaint).toContain(join(prefix, "etc/conda/activate.d/a.sh"));
      expect(found.complaint).not.toContain("b.sh");
    });

    test.each([
      ["returns", "export A=1\nreturn 1\n"],
      ["ends with a test", "export A=1\n[ -n '' ] && export NEVER=1\n"],
      ["closes what it writes to", "exec >&-\nexport A=1\n"],
      ["goes elsewhere and takes names", "cd /\nset -- x y\nnode=no print=no script=no\nexport A=1\n"],
    ])("in the view of some, and only %s, is none", async (_how, text) => {
      await using machine = await testMachine();
      if (kind === "bash") await withBash(machine);
      const prefix = await prefixWith(machine, { "a.sh": text });
      const found = await activationOf(prefix, machine.at);
      expect(set(found)).toEqual({ A: "1" });
      expect(found.complaint).toBeNull();
    });
  });

  test("and uses words that sh does not know is named, and keeps what it set", async () => {
    await using machine = await testMachine();
    const prefix = await prefixWith(machine, { "a.sh": "no-such-builtin x\nexport A=1\n" });
    const { complaint, ...found } = await activationOf(prefix, machine.at);
    expect(set(found)).toEqual({ A: "1" });
    expect(complaint).toMatch(/a\.sh says: .*no-such-builtin.* may be missing/);
  });

  test("and wants every command to succeed does not end bash", async () => {
    await using machine = await testMachine();
    await withBash(machine);
    const prefix = await prefixWith(machine, { "a.sh": "set -e\nfalse\nexport A=1\n" });
    expect(set(await activationOf(prefix, machine.at))).toEqual({ A: "1" });
  });

  test("and hangs is ended, and the answer is not remembered", async () => {
    await using machine = await testMachine();
    const prefix = await prefixWith(machine, { "a.sh": "while :; do :; done\n" });
    const script = join(prefix, "etc/conda/activate.d/a.sh");
    const bash = { kind: "bash", file: "/bin/bash" } as const;
    expect(await source(script, { PATH: process.env["PATH"] ?? "" }, bash, 200)).toEqual({
      after: undefined,
      problem: "did not end within 0.2 s",
      isHung: true,
    });
    const python = join(prefix, "bin/python");
    const answer = {
      python: "3.11.2",
      executable: python,
      prefix,
      versions: {},
      missing: [],
      userSite: { path: "", packages: [] },
      watch: [join(prefix, "lib")],
    };
    for (const isSettled of [false, true]) {
      await remember(python, { answer, activation: { ...NO_ACTIVATION, isSettled } }, machine.at);
      expect((await recall(python, machine.at)) !== undefined).toBe(isSettled);
    }
  });
});

describe.skipIf(process.platform === "win32")("an activation that is remembered", () => {
  const TEXT = 'export FOO=bar\nexport LD_LIBRARY_PATH="/env/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n';

  test("from an active shell holds in a plain one, and the other way round", async () => {
    await using machine = await testMachine();
    const prefix = await prefixWith(machine, { "a.sh": TEXT });
    const python = join(prefix, "bin/python");
    const active = shell(machine, { CONDA_PREFIX: prefix, FOO: "bar", LD_LIBRARY_PATH: "/env/lib" });
    const wanted = { FOO: "bar", LD_LIBRARY_PATH: "/env/lib" };
    const turns = [active, machine.at, active];
    for (const [turn, at] of turns.entries()) {
      const { recalled, variables } = await findEnvironment({ python, at });
      expect({ recalled, variables }).toMatchObject({ recalled: turn > 0, variables: wanted });
    }
    await utimes(join(prefix, "lib"), 1, 1);
    expect(await findEnvironment({ python, at: machine.at })).toMatchObject({ recalled: false });
    expect(await findEnvironment({ python, at: active })).toMatchObject({
      recalled: true,
      variables: wanted,
    });
  });

  test("holds as long as the variables that the scripts speak of are as they were", async () => {
    await using machine = await testMachine();
    const prefix = await prefixWith(machine, { "a.sh": TEXT });
    const python = join(prefix, "bin/python");
    await findEnvironment({ python, at: machine.at });
    const other = shell(machine, { OTHER: "1", SHLVL: "7" });
    expect(await findEnvironment({ python, at: other })).toMatchObject({ recalled: true });
    const own = shell(machine, { LD_LIBRARY_PATH: "/cuda" });
    for (const recalled of [false, true]) {
      expect(await findEnvironment({ python, at: own })).toMatchObject({
        recalled,
        variables: { LD_LIBRARY_PATH: "/env/lib:/cuda" },
      });
    }
    const again = await findEnvironment({ python, at: machine.at });
    expect(again).toMatchObject({ recalled: false, variables: { LD_LIBRARY_PATH: "/env/lib" } });
  });

  test("keeps no value of a variable that is the user's", async () => {
    await using machine = await testMachine();
    const prefix = await prefixWith(machine, { "a.sh": '[ -n "$TOKEN" ] || export NO_TOKEN=1\n' });
    const python = join(prefix, "bin/python");
    const at = shell(machine, { TOKEN: "very secret" });
    await findEnvironment({ python, at });
    const said = await recall(python, at);
    expect(JSON.stringify(said)).not.toContain("very secret");
    expect(activated(said?.activation ?? NO_ACTIVATION, at)).not.toHaveProperty("TOKEN");
    expect(await recall(python, machine.at)).toBeUndefined();
  });
});
