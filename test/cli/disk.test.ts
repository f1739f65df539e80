/** A disk that is full, read-only or not there: an error with its code and hint, and nothing lost. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ran } from "../processes.ts";
import type { Ended } from "../processes.ts";
import { fakeServer } from "../remote/fake.ts";
import { STANDIN } from "../standin.ts";
import { picturesIn } from "./pictures.ts";
import { isotorch } from "./printed.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const IMAGE = fileURLToPath(new URL("../../examples/images/dog.webp", import.meta.url));
/** What is written, and where, is Node's affair: no real worker is needed. */
const ENV = { ...process.env, ISOTORCH_PYTHON: STANDIN.python };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "disk-test-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A script in which `iso` is the command; `more` are words that it finds as `$1` and so on. */
function shell(script: string, ...more: readonly string[]): Promise<Ended> {
  const iso = `iso() { "${process.execPath}" "${MAIN}" "$@"; }\n`;
  return ran("sh", ["-c", iso + script, "sh", ...more], { cwd: folder, env: ENV });
}

/** Whether a disk of one's own can be made here, with words that start a program on it. */
function ownDisk(): readonly string[] | undefined {
  for (const words of [["-m"], ["-rm"]]) {
    try {
      execFileSync("unshare", [...words, "sh", "-c", "mount -t tmpfs none /mnt"], { stdio: "ignore" });
      return words;
    } catch {
      continue;
    }
  }
  return undefined;
}

const DISK = process.platform === "linux" ? ownDisk() : undefined;

/** As {@link shell}, with a disk of 64 KiB at `disk` below the folder. */
function onSmallDisk(script: string, ...more: readonly string[]): Promise<Ended> {
  mkdirSync(join(folder, "disk"));
  const iso = `iso() { "${process.execPath}" "${MAIN}" "$@"; }\nmount -t tmpfs -o size=64k none disk\n`;
  return ran("unshare", [...(DISK ?? []), "sh", "-c", iso + script, "sh", ...more], {
    cwd: folder,
    env: ENV,
  });
}

/** A code, a sentence and a hint, and no stack trace. */
const TYPED = /^isotorch: [A-Z_]+: [^\n]+\.\n {2}[A-Z][^\n]+\n$/;
const FULL = /^isotorch: OUTPUT_FAILED: [^\n]*no space left[^\n]*\.\n {2}[^\n]*Make room[^\n]*\n$/i;

describe.skipIf(DISK === undefined)("on a full disk", () => {
  test("a job ends with what is the matter, and goes on when there is room", async () => {
    const server = await fakeServer();
    const { list, names } = picturesIn(folder, 30);
    const classify = `iso classify --remote "$1" --from "$2" --handoff encoded --include logits --out disk/out.jsonl`;
    const { stdout, stderr } = await onSmallDisk(
      `${classify}; echo $?; mount -o remount,size=8m disk; ${classify}; echo $?; cp disk/out.jsonl .`,
      server.url,
      list,
    );
    expect(stdout).toBe("3\n0\n");
    expect(stderr.replace(/30 lines\n$/, "")).toMatch(FULL);
    expect(stderr).toMatch(/goes on behind the last whole line/);
    const inputs = readFileSync(join(folder, "out.jsonl"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { input: string }).input);
    expect(inputs).toEqual(names);
  });

  test("an array is typed, what was there before stays, and no half of it is left", async () => {
    writeFileSync(join(folder, "list"), "");
    const { stdout, stderr } = await onSmallDisk(
      `echo before > disk/a.npy; iso preprocess "$1" --out disk/a.npy; echo $?; cat disk/a.npy; ls disk`,
      IMAGE,
    );
    expect(stderr).toMatch(FULL);
    expect(stdout).toBe("3\nbefore\na.npy\n");
  });

  test("a lock for which there is no room is none", async () => {
    const server = await fakeServer();
    const { list } = picturesIn(folder, 2);
    const { stdout, stderr } = await onSmallDisk(
      `head -c 65536 /dev/zero > disk/full; iso classify --remote "$1" --from "$2" --out disk/out.jsonl; echo $?; ls disk`,
      server.url,
      list,
    );
    expect(stderr).toMatch(FULL);
    expect(stdout).toBe("3\nfull\n");
  });

  test("a disk that can only be read is typed", async () => {
    const { stdout, stderr } = await onSmallDisk(
      `mount -o remount,ro disk; iso preprocess "$1" --out disk/a.npy; echo $?`,
      IMAGE,
    );
    expect(stdout).toBe("3\n");
    expect(stderr).toMatch(/OUTPUT_FAILED: .*read-only.*\n {2}Write to another disk/i);
  });
});

describe.skipIf(process.platform !== "linux")("where nothing takes what is printed", () => {
  test.each([
    ["--help"],
    ["--version"],
    ["completion bash"],
    ["models --json"],
    ["models"],
    ["cache --json"],
    ["doctor --json"],
    ["classify nothing.jpg --json --python /nowhere"],
    ['preprocess "$1" --out a.npy'],
  ])("isotorch %s says so", async (command) => {
    const { code, stderr } = await shell(`iso ${command} 1>/dev/full`, IMAGE);
    expect(code).toBe(3);
    expect(stderr).toMatch(/isotorch: OUTPUT_FAILED: [^\n]*no space left[^\n]*\n {2}Make room/i);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test("a full disk behind stderr changes neither the answers nor the exit code", async () => {
    const { code, stdout } = await shell(`iso preprocess "$1" --out a.npy --json 2>/dev/full`, IMAGE);
    expect({ code, dtype: (JSON.parse(stdout) as { dtype: string }).dtype }).toEqual({
      code: 0,
      dtype: "float32",
    });
    expect((await shell("iso nonsense 2>/dev/full")).code).toBe(2);
    expect((await shell("iso classify nothing.jpg --python /nowhere 1>/dev/full 2>/dev/full")).code).toBe(3);
  });

  test("a reader that goes away is no failure, whatever is printed", async () => {
    const { stdout, stderr } = await shell("(iso completion bash; echo $? >&2) | head -1; iso --help | :");
    expect(stderr).toBe("0\n");
    expect(stdout).toMatch(/^#/);
  });
});

describe("a place where no file can be", () => {
  test.each([
    ["preprocess", "nowhere/a.npy"],
    ["preprocess", "."],
    ["classify", "nowhere/a.jsonl", "--remote", "http://127.0.0.1:1"],
  ])("isotorch %s --out %s is typed", async (command, out, ...more) => {
    const words = [command, IMAGE, "--out", join(folder, out), ...more];
    const { code, stderr } = await isotorch(words, { ISOTORCH_PYTHON: STANDIN.python });
    expect(stderr).toMatch(TYPED);
    expect([2, 5]).toContain(code);
  });

  test("a job takes no device for its file, which never ends", async () => {
    const server = await fakeServer();
    symlinkSync("/dev/zero", join(folder, "a.jsonl"));
    const { code, stderr } = await shell(
      'iso classify "$1" --remote "$2" --handoff encoded --out a.jsonl',
      IMAGE,
      server.url,
    );
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(TYPED) as string });
  });
});
