import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run } from "../../../src/cli/commands/setup.ts";
import type { Machine } from "../../../src/setup/machine.ts";
import { recipeOf } from "../../../src/setup/conda/variant.ts";
import type { SetupRequest } from "../../../src/setup/request.ts";
import { setup, type SetupResult } from "../../../src/setup/setup.ts";
import { findEnvironment } from "../../../src/python/environment.ts";
import { recordFile, writeRecord } from "../../../src/python/recorded.ts";
import { usedFile } from "../../../src/python/used.ts";
import { testMachine, type TestMachine } from "../../fixtures/environments/machine.ts";

const DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n';

function debian(machine: TestMachine, over: Partial<Machine> = {}): Machine {
  const distributionPython = join(machine.root, "usr/bin/python3");
  return { at: machine.at, isRoot: true, osRelease: DEBIAN, distributionPython, arch: "x64", ...over };
}

interface Heard {
  readonly said: string[];
  readonly echoed: string[];
  readonly result: Promise<SetupResult>;
}

function start(machine: Machine, request: Partial<SetupRequest> = {}): Heard {
  const said: string[] = [];
  const echoed: string[] = [];
  const say = (line: string): void => void said.push(line);
  const echo = (line: string): void => void echoed.push(line);
  return { said, echoed, result: setup({ say, echo, ...request }, machine) };
}

function log(machine: TestMachine): string[] {
  const file = join(machine.root, "log");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
}

describe("bad usage is INVALID_OPTION before anything is run", () => {
  test.each([
    [["--via", "pip"], "--via"],
    [["--via", "cond"], "Did you mean --via conda?"],
    [["--vai", "apt"], "--via"],
    [["conda"], "isotorch setup --help"],
    [["--via", "apt", "--python", "/usr/bin/python3", "--dry-run"], "--via venv --python /usr/bin/python3"],
  ])("%j", async (argv, hint) => {
    await expect(run(argv)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      hint: expect.stringContaining(hint),
    });
  });
});

describe.skipIf(process.platform === "win32")("a failure is one sentence, and nothing is recorded", () => {
  test.each([
    ["unreachable", "Debian's package servers could not be reached.", "Check the network"],
    ["locked", "Another package manager is at work and holds the lock.", "Wait for it"],
    ["full", "The disk is full.", "Make room"],
    ["absent", "Debian's package servers do not have what is needed for this machine.", "--via venv"],
    ["broken", "exit status 100 (E: Unmet dependencies", "Run it by hand"],
  ])("apt: %s", async (net, message, hint) => {
    await using machine = await testMachine({ ISOTORCH_STANDIN_NET: net });
    await machine.tool("apt-get");
    const { result } = start(debian(machine));
    await expect(result).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
    expect(existsSync(recordFile(machine.at))).toBe(false);
  });

  test("pip and conda: no server", async () => {
    await using machine = await testMachine({ ISOTORCH_STANDIN_NET: "unreachable" });
    await machine.python(join(machine.bin, "python3.11"), "no-torch");
    await expect(start(debian(machine), { via: "venv" }).result).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: "The Python package index could not be reached.",
      hint: expect.stringContaining("PIP_INDEX_URL"),
    });
    await machine.tool("conda");
    await expect(start(debian(machine), { via: "conda" }).result).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: "The conda channels could not be reached.",
      hint: expect.stringContaining(".condarc"),
    });
  });

  test("a way that is not open here is told with another", async () => {
    await using machine = await testMachine();
    const failed = { code: "SETUP_FAILED", message: expect.stringContaining("is not possible here") };
    await expect(start(debian(machine), { via: "conda" }).result).rejects.toMatchObject(failed);
    await expect(start(debian(machine), { via: "apt" }).result).rejects.toMatchObject(failed);
    await machine.tool("apt-get");
    await expect(start(debian(machine, { isRoot: false }), { via: "apt" }).result).rejects.toMatchObject({
      ...failed,
      hint: expect.stringContaining("sudo apt-get install python3-torch"),
    });
  });

  test("no Python for a virtual environment: each one with its reason", async () => {
    await using machine = await testMachine();
    await machine.python(join(machine.bin, "python3.9"), "no-venv");
    await machine.python(join(machine.bin, "python3.13"), "broken");
    await machine.python(join(machine.bin, "python3"), "python314");
    await machine.python(join(machine.bin, "python"), "python38");
    const error = await start(debian(machine), { via: "venv" }).result.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "SETUP_FAILED",
      hint: expect.stringContaining("apt-get install python3-venv"),
    });
    expect(String(error)).toMatch(/python3\.13: is not a working Python/);
    expect(String(error)).toMatch(/python3\.9: Python 3\.11\.2 without venv/);
    expect(String(error)).toMatch(/python3: Python 3\.14\.0 is newer/);
    expect(String(error)).toMatch(/python: Python 3\.8\.18 is older than 3\.9/);
  });

  test("a made environment that does not fit is no success", async () => {
    await using machine = await testMachine();
    await machine.tool("apt-get");
    await machine.python(join(machine.root, "usr/bin/python3"), "no-torch");
    await expect(start(debian(machine)).result).rejects.toMatchObject({
      code: "SETUP_FAILED",
      message: expect.stringContaining("without torch, torchvision"),
    });
    expect(existsSync(recordFile(machine.at))).toBe(false);
  });

  test("settings that cannot be written are told with the variable that goes without", async () => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.bin, "python3"));
    await writeFile(join(machine.root, "file"), "");
    const environ = { ...machine.at.environ, ISOTORCH_CONFIG_DIR: join(machine.root, "file/config") };
    await expect(start(debian(machine, { at: { ...machine.at, environ } })).result).rejects.toMatchObject({
      code: "SETUP_FAILED",
      hint: expect.stringContaining(`ISOTORCH_PYTHON=${python}`),
    });
  });

  test("an interrupted setup is ABORTED", async () => {
    await using machine = await testMachine();
    await machine.tool("apt-get");
    const { result } = start(debian(machine), { signal: AbortSignal.abort() });
    await expect(result).rejects.toMatchObject({ code: "ABORTED" });
    expect(log(machine)).toEqual([]);
  });
});

describe.skipIf(process.platform === "win32")("setup", () => {
  test("leaves it to the user's settings where pip takes its packages from", async () => {
    const mirror = {
      PIP_INDEX_URL: "https://mirror.example/simple",
      PIP_CONFIG_FILE: "/etc/pip mirror.conf",
    };
    await using machine = await testMachine(mirror);
    await machine.python(join(machine.bin, "python3.11"), "no-torch");
    await start(debian(machine), { via: "venv" }).result;
    const [pip] = log(machine);
    expect(pip).toContain(
      "PIP_INDEX_URL=https://mirror.example/simple PIP_CONFIG_FILE=/etc/pip mirror.conf pip",
    );
    expect(pip).not.toMatch(/--isolated|-I\b|--index-url|-i\b/);
  });

  test("records an environment that fits already and installs nothing", async () => {
    await using machine = await testMachine();
    await machine.tool("apt-get");
    const python = await machine.python(join(machine.bin, "python3"));
    const { said, result } = start(debian(machine));
    expect(await result).toMatchObject({ via: "found", commands: [], environment: { python } });
    expect(said[0]).toBe(
      `Found a fitting environment: ${python} (Python 3.11.2, torch 1.13.0a0+gitunknown, torchvision 0.14.1a0)`,
    );
    expect(log(machine)).toEqual([]);
    expect(JSON.parse(readFileSync(recordFile(machine.at), "utf8"))).toEqual({
      python,
      prefix: machine.root,
      via: "found",
    });
    expect(await findEnvironment({ at: machine.at })).toMatchObject({ python, kind: "recorded" });
    const again = start(debian(machine));
    await again.result;
    expect(again.said[1]).toMatch(/^It is recorded already/);
  });

  test("as root on Debian takes the distribution's packages, and says so before it does", async () => {
    await using machine = await testMachine();
    const apt = await machine.tool("apt-get");
    const python = await machine.python(join(machine.root, "usr/bin/python3"), "no-torch");
    const { said, echoed, result } = start(debian(machine), {
      say: (line) => {
        said.push(line);
        // What apt would do to the machine.
        if (line.includes("install")) writeFileSync(`${python}.is`, "fit");
      },
    });
    expect(await result).toMatchObject({ via: "apt", environment: { python, kind: "explicit" } });
    expect(said.slice(0, 5)).toEqual([
      "Making an environment via apt (root on Debian or Ubuntu):",
      `  DEBIAN_FRONTEND=noninteractive '${apt}' update`,
      `  DEBIAN_FRONTEND=noninteractive '${apt}' -o DPkg::Lock::Timeout=60 install -y --no-install-recommends python3-torch python3-torchvision python3-zmq python3-msgpack python3-pil`,
      `  DEBIAN_FRONTEND=noninteractive '${apt}' -o DPkg::Lock::Timeout=60 install -y --no-install-recommends libopenblas0-pthread`,
      "  and the quickest BLAS library, by timing a product with each",
    ]);
    expect(said).toContain("The BLAS library stays as it is: update-alternatives is not on the PATH.");
    expect(log(machine).map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
      "DEBIAN_FRONTEND=noninteractive apt-get update",
      "DEBIAN_FRONTEND=noninteractive apt-get -o",
      "DEBIAN_FRONTEND=noninteractive apt-get -o",
    ]);
    expect(echoed).toContain("Reading package lists...");
  });

  test("prefers a conda tool where there is one, makes the environment and the next time updates it", async () => {
    await using machine = await testMachine();
    await machine.tool("apt-get");
    await machine.tool("conda");
    await machine.python(join(machine.bin, "python"), "no-torch");
    const prefix = join(machine.root, "conda/envs/isotorch");
    const python = join(prefix, "bin/python");
    expect(await start(debian(machine)).result).toMatchObject({ via: "conda", environment: { python } });
    expect(await start(debian(machine), { via: "conda" }).result).toMatchObject({ via: "conda" });
    const { specs } = recipeOf("cpu");
    expect(log(machine).filter((line) => line.includes("--file"))).toEqual([
      `conda create -y -p ${prefix} --override-channels -c conda-forge --file ${specs} --json`,
      `conda install -y -p ${prefix} --override-channels -c conda-forge --file ${specs} --json`,
    ]);
    const found = await findEnvironment({ at: machine.at });
    expect(found).toMatchObject({
      kind: "recorded",
      variables: { CONDA_DEFAULT_ENV: "isotorch", FROM_CONDA: "yes" },
    });
    expect(found.variables).not.toHaveProperty("CONDA_PROMPT_MODIFIER");
  });

  test("speaks micromamba's own words, and leaves conda alone where nothing was built for the machine", async () => {
    await using machine = await testMachine();
    await machine.tool("conda", "micromamba");
    await machine.python(join(machine.bin, "python3"), "no-torch");
    const dry = await start(debian(machine), { dryRun: true }).result;
    expect(dry.commands).toEqual([
      expect.stringMatching(
        /micromamba'? create -y -p .*isotorch'? --override-channels -c conda-forge --file \S+env\.cpu\.specs\.txt$/,
      ),
    ]);
    const arm = await start(debian(machine, { arch: "riscv64", isRoot: false }), { dryRun: true }).result;
    expect(arm.via).toBe("venv");
  });

  test("makes a virtual environment from the newest Python for any other user", async () => {
    await using machine = await testMachine();
    await machine.tool("apt-get");
    await machine.python(join(machine.bin, "python3.12"), "no-torch");
    await machine.python(join(machine.bin, "python3.13"), "broken");
    const { said, result } = start(debian(machine, { isRoot: false }));
    const python = join(machine.root, "home/.local/share/isotorch/venv/bin/python");
    expect(await result).toMatchObject({ via: "venv", environment: { python } });
    expect(said[1]).toMatch(/python3\.12' -m venv /);
    expect(said[2]).toMatch(/ -m pip install .*torch torchvision pyzmq msgpack pillow numpy$/);
    expect(await findEnvironment({ at: machine.at })).toMatchObject({ python, kind: "recorded" });
  });

  test("--python uses an interpreter that fits, and builds on one that does not", async () => {
    await using machine = await testMachine();
    await machine.tool("apt-get");
    const fit = await machine.python(join(machine.root, "fit/python"));
    const bare = await machine.python(join(machine.root, "bare/python"), "no-torch");
    expect(await start(debian(machine), { python: fit }).result).toMatchObject({
      via: "found",
      environment: { python: fit },
    });
    const { said, result } = start(debian(machine), { python: bare });
    expect(await result).toMatchObject({ via: "venv" });
    expect(said[1]).toContain(`'${bare}' -m venv`);
  });

  test("chooses anew where the recorded environment is gone, and says so; what was used before no longer counts", async () => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.root, "usr/bin/python3"));
    await writeRecord({ python: "/gone/python", prefix: "", via: "venv" }, machine.at);
    await writeFile(usedFile(machine.at), JSON.stringify({ python: "/gone/too", kind: "system" }));
    const { said, result } = start(debian(machine));
    expect(await result).toMatchObject({ via: "found", environment: { python } });
    expect(said[0]).toBe(
      "The recorded environment is no longer fit: /gone/python (does not exist). Choosing again:",
    );
    expect(existsSync(usedFile(machine.at))).toBe(false);
    expect(await findEnvironment({ at: machine.at })).toMatchObject({ python, kind: "recorded" });
  });

  test.each([undefined, "venv"] as const)(
    "makes one where the recorded one is gone: --via %s",
    async (via) => {
      await using machine = await testMachine();
      await machine.python(join(machine.bin, "python3.12"), "no-torch");
      await writeRecord({ python: "/gone/python", prefix: "", via: "venv" }, machine.at);
      const { result } = start(debian(machine, { isRoot: false }), via && { via });
      const python = join(machine.root, "home/.local/share/isotorch/venv/bin/python");
      expect(await result).toMatchObject({ via: "venv", environment: { python } });
      expect(await findEnvironment({ at: machine.at })).toMatchObject({ python, kind: "recorded" });
    },
  );

  test("writes a damaged record anew", async () => {
    await using machine = await testMachine();
    const python = await machine.python(join(machine.root, "usr/bin/python3"));
    await writeRecord({ python, prefix: "", via: "venv" }, machine.at);
    await writeFile(recordFile(machine.at), "{");
    expect(await start(debian(machine)).result).toMatchObject({ via: "found" });
    expect(await findEnvironment({ at: machine.at })).toMatchObject({ python, kind: "recorded" });
  });

  test("--dry-run touches nothing", async () => {
    await using machine = await testMachine();
    await machine.tool("apt-get");
    const { said, result } = start(debian(machine), { dryRun: true });
    expect(await result).toMatchObject({ via: "apt", environment: null, record: null });
    expect(said[0]).toMatch(/^Would make/);
    expect(log(machine)).toEqual([]);
    await expect(stat(join(machine.root, "home/.config"))).rejects.toThrow(/ENOENT/);
  });
});
