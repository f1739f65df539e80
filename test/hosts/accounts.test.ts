/** Accounts as containers have them: no entry in the list of users, no home or one that cannot be written. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { devNull, tmpdir } from "node:os";
import { join, posix, win32 } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { checkpointDirectory, NO_HOME, surroundings, venvDirectory } from "../../src/python/surroundings.ts";
import { noteUsed, usedFile } from "../../src/python/used.ts";
import { CACHE_DIR, MODEL } from "../checkpoint.ts";
import { PYTHON } from "../python.ts";
import { STANDIN } from "../standin.ts";
import { DOG, isotorch } from "./cli.ts";

const NONE = "no-account.mjs";
const UNTRAINED = ["--model", MODEL, "--weights", "untrained:0"];
/** For what ends before a network is needed. */
const STUB = ["--python", String(STANDIN.python)];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isotorch-accounts-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("an account that the system does not know, without HOME,", () => {
  test("classifies where a Python, a directory and a picture are named", async () => {
    const args = ["classify", DOG, "--python", PYTHON, ...UNTRAINED, "--cache-dir", CACHE_DIR];
    const { code, stdout, stderr } = await isotorch(args, {}, NONE);
    expect([code, stderr]).toEqual([0, expect.stringContaining("an untrained network")]);
    expect(stdout.split("\n")).toHaveLength(7);
  });

  test.each([
    ["--weights", "untrained:0"],
    ["--weights", "IMAGENET1K_V1"],
  ])("is told where to put checkpoints: %s %s", async (...weights) => {
    const { code, stderr } = await isotorch(["classify", DOG, ...STUB, ...weights], {}, NONE);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^isotorch: INVALID_OPTION: This account has no home directory/m);
    expect(stderr).toMatch(/--cache-dir DIR.*TORCH_HOME/);
  });

  test("finds a Python by itself, and uses checkpoints by TORCH_HOME", async () => {
    const environment = { TORCH_HOME: folder, ISOTORCH_OFFLINE: "1" };
    const { code, stderr } = await isotorch(["classify", DOG, ...STUB], environment, NONE);
    expect([code, stderr]).toEqual([3, expect.stringContaining(join(folder, "hub", "checkpoints"))]);
  });

  test("has doctor's advice", async () => {
    const { stdout, stderr } = await isotorch(["doctor", ...STUB], {}, NONE);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/no home directory.*\[no-home\]\n.*--cache-dir DIR/);
  });
});

test.runIf(process.platform === "linux")(
  "a directory that nobody can make is told, and names another",
  async () => {
    for (const home of [devNull, "/proc/isotorch-test"]) {
      const { code, stderr } = await isotorch(["classify", DOG, "--python", PYTHON, ...UNTRAINED], {
        HOME: home,
      });
      expect([code, stderr]).toEqual([3, expect.stringMatching(/WEIGHTS_NOT_FOUND.*cannot be written/)]);
      expect(stderr).toMatch(/--cache-dir DIR.*TORCH_HOME/);
    }
  },
);

describe("the home directory", () => {
  const homeOf = (environ: NodeJS.ProcessEnv, platform: NodeJS.Platform = "linux"): string =>
    surroundings({ environ, platform, path: platform === "win32" ? win32 : posix }).home;

  test("is what HOME says, if that is absolute", () => {
    expect(homeOf({ HOME: "/somewhere" })).toBe("/somewhere");
    expect(homeOf({ HOME: "/" })).toBe("/");
    for (const HOME of ["", "here", undefined]) expect(posix.isAbsolute(homeOf({ HOME }))).toBe(true);
  });

  test("is where Python looks for it on Windows", () => {
    const environ = { HOME: "/c/Users/me", USERPROFILE: String.raw`C:\Users\me` };
    expect(homeOf(environ, "win32")).toBe(String.raw`C:\Users\me`);
  });

  test("that does not exist makes no place for anything", () => {
    const at = surroundings({ environ: {}, home: NO_HOME });
    expect(checkpointDirectory(at)).toBeUndefined();
    expect(() => venvDirectory(at)).toThrow(/no home directory/);
    const named = surroundings({ environ: { XDG_CACHE_HOME: "/c", XDG_DATA_HOME: "/d" }, home: NO_HOME });
    expect(checkpointDirectory(named)).toBe(posix.join("/c", "torch", "hub", "checkpoints"));
    expect(venvDirectory(named)).toBe(posix.join("/d", "isotorch", "venv"));
  });
});

describe("a note that cannot be written", () => {
  const used = { python: "/usr/bin/python3", kind: "system", source: "the PATH" } as const;
  const places: [string, () => string][] = [
    ["below a file", () => join(folder, "file", "config")],
    ["without a home", () => NO_HOME],
    ...(process.platform === "linux"
      ? ([["below /proc, where Node's own mkdir never ends", () => "/proc/isotorch-test/config"]] as [
          string,
          () => string,
        ][])
      : []),
  ];
  test.each(places)("costs a line of the log: %s", async (_, place) => {
    writeFileSync(join(folder, "file"), "");
    const at = surroundings({ environ: { ISOTORCH_CONFIG_DIR: place() } });
    const info = vi.fn();
    await noteUsed(used, at, { debug: info, info, warn: info, error: info });
    expect(info.mock.calls).toEqual([[expect.stringContaining(usedFile(at))]]);
  });
});

test.skipIf(process.getuid?.() === 0)("a cache that may not be written is told", async () => {
  mkdirSync(join(folder, "cache"));
  chmodSync(join(folder, "cache"), 0o555);
  const args = ["classify", DOG, "--python", PYTHON, ...UNTRAINED, "--cache-dir", join(folder, "cache")];
  expect((await isotorch(args, { HOME: folder })).stderr).toMatch(/--cache-dir DIR/);
});
