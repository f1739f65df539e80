import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { run } from "../../../src/cli/commands/cache.ts";
import { tryLock } from "../../../src/base/files/lock.ts";

const V1 = "resnet101-63fe2227.pth";
const V2 = "resnet101-cd907fc2.pth";
const MADE = "resnet101-untrained-7.pth";
/** What torch.hub and people keep in the same directory. */
const OTHERS = [
  "deeplabv3_resnet50_coco-cd0a2569.pth",
  "mine.pth",
  "resnet101-untrained-x.pth",
  "notes.part",
];
/** Of another model, pinned; and one of which only the digits in the name are known. */
const R50 = "resnet50-0676ba61.pth";
const VIT = "vit_b_16_swag-9ac1b537.pth";

let folder: string;
let printed: string;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "isotorch cache-")));
  printed = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((printed += String(text)), true));
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  for (const name of OTHERS) await writeFile(join(folder, name), "not isotorch's");
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

async function fill(): Promise<void> {
  await writeFile(join(folder, V1), "not the checkpoint");
  await writeFile(join(folder, `${V2}.part`), "half");
  await writeFile(join(folder, `${V2}.part.json`), "{}");
  await writeFile(join(folder, MADE), "made");
  await writeFile(join(folder, `${MADE}.sha256`), `${createHash("sha256").update("made").digest("hex")}\n`);
}

function cache(...argv: string[]): Promise<number> {
  printed = "";
  return run([...argv, "--cache-dir", folder], new AbortController().signal);
}

async function left(): Promise<string[]> {
  return (await readdir(folder)).filter((name) => !OTHERS.includes(name)).toSorted();
}

describe("nothing is removed that was not meant", () => {
  test("without --yes where nobody can be asked", async () => {
    await fill();
    await expect(cache("clear")).rejects.toMatchObject({
      code: "INVALID_OPTION",
      hint: expect.stringContaining("--yes"),
    });
    expect(await left()).toHaveLength(5);
  });

  test("a name that is not there, an action that is none, and a flag that is none", async () => {
    await expect(cache("clear", "IMAGENET1K_V2", "--yes")).rejects.toMatchObject({
      code: "WEIGHTS_NOT_FOUND",
    });
    await expect(cache("clean")).rejects.toMatchObject({ hint: "Did you mean `isotorch cache clear`?" });
    await expect(cache("clear", "--everything")).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  test("other programs' files, links and directories, even with --all", async () => {
    await fill();
    await rm(join(folder, V1));
    await symlink(join(folder, "mine.pth"), join(folder, V1));
    await mkdir(join(folder, V2));
    await cache("clear", "--all", "--yes");
    expect(await left()).toEqual([V1, V2]);
    expect((await readdir(folder)).filter((name) => OTHERS.includes(name))).toHaveLength(OTHERS.length);
  });

  test("a download that is at work", async () => {
    await fill();
    const lock = await tryLock(join(folder, `${V2}.lock`));
    await expect(cache("clear", "IMAGENET1K_V2", "--yes")).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining("is being downloaded at this moment"),
    });
    await lock?.release();
    expect(await left()).toContain(`${V2}.part`);
  });
});

describe("cache", () => {
  test("ls lists what is isotorch's, and counts the rest", async () => {
    await fill();
    expect(await cache("ls", "--json")).toBe(0);
    expect(JSON.parse(printed)).toMatchObject({
      directory: folder,
      entries: [
        { model: "resnet101", name: "IMAGENET1K_V1", kind: "checkpoint", bytes: 18, integrity: "pinned" },
        { model: "resnet101", name: "IMAGENET1K_V2", kind: "partial", bytes: 4, integrity: null },
        { model: "resnet101", name: "untrained:7", kind: "untrained", bytes: 4, integrity: "first use" },
      ],
      others: 4,
    });
    await cache();
    expect(printed).toContain(
      `resnet101  IMAGENET1K_V1  0.0 MiB  checkpoint  pinned     ${join(folder, V1)}`,
    );
    expect(printed).toContain("; 4 other files");
  });

  test("ls knows the files of every model, and what is noted beside them", async () => {
    const sha256 = createHash("sha256").update("swag").digest("hex");
    await writeFile(join(folder, R50), "not the checkpoint");
    await writeFile(join(folder, VIT), "swag");
    await writeFile(join(folder, "vit_l_32-untrained-3.pth"), "made");
    await writeFile(join(folder, "vit_l_33-untrained-3.pth"), "of no model");
    const entries = async (): Promise<unknown> => {
      await cache("ls", "--json");
      return (JSON.parse(printed) as { entries: unknown }).entries;
    };
    const vit = { model: "vit_b_16", name: "IMAGENET1K_SWAG_E2E_V1", kind: "checkpoint" };
    expect(await entries()).toMatchObject([
      { model: "resnet50", name: "IMAGENET1K_V1", integrity: "pinned" },
      { ...vit, integrity: "prefix", sha256: "9ac1b537" },
      { model: "vit_l_32", name: "untrained:3", kind: "untrained", integrity: "unpinned", sha256: null },
    ]);
    await writeFile(join(folder, `${VIT}.sha256`), `${sha256}  ${VIT}\n`);
    expect(await entries()).toMatchObject([{}, { ...vit, integrity: "first use", sha256 }, {}]);
    expect(await cache("verify", "vit_b_16")).toBe(0);
    await cache("ls", "--model", "vit_b_16");
    expect(printed.split("\n")).toHaveLength(4);
    await cache("clear", "vit_b_16", "--yes");
    expect(await left()).toEqual([R50, "vit_l_32-untrained-3.pth", "vit_l_33-untrained-3.pth"]);
  });

  test("clear asks which model is meant where several have weights of a name", async () => {
    await fill();
    await writeFile(join(folder, R50), "not the checkpoint");
    await expect(cache("clear", "IMAGENET1K_V1", "--yes")).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: "The cache has IMAGENET1K_V1 of several models: resnet101, resnet50.",
      hint: expect.stringContaining("--model resnet101"),
    });
    await cache("clear", "IMAGENET1K_V1", "--model", "resnet50", "--yes");
    expect(await left()).toHaveLength(5);
    await cache("clear", V1, "--yes");
    expect(await left()).toHaveLength(4);
    await expect(cache("ls", "--model", "resnet51")).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });

  test("verify reads the files and exits with 1 for a damaged one", async () => {
    await fill();
    expect(await cache("verify", "--json")).toBe(1);
    const { entries } = JSON.parse(printed) as { entries: { name: string; verdict: string }[] };
    expect(entries.map(({ verdict }) => verdict)).toEqual(["damaged", "unknown", "ok"]);
    expect(await cache("verify", "untrained:7")).toBe(0);
    expect(printed).toMatch(/ok\n$/);
  });

  test("clear takes what isotorch alone uses, a name takes that one, --all takes both", async () => {
    await fill();
    expect(await cache("clear", "--yes", "--json")).toBe(0);
    expect(JSON.parse(printed)).toMatchObject({
      removed: [{ kind: "partial" }, { kind: "untrained" }],
      bytes: 8,
    });
    expect(await left()).toEqual([V1]);
    await cache("clear", "IMAGENET1K_V1", "--yes");
    expect(await left()).toEqual([]);
    await cache("clear", "--all", "--yes");
    expect(printed).toBe("Nothing to remove.\n");
  });

  test("shows what killed runs have left, and clears it; what somebody is at work on is none of it", async () => {
    const begun = `.${MADE}.${"0".repeat(32)}`;
    const working = `.resnet101-untrained-8.pth.${"1".repeat(32)}`;
    const noting = `${VIT}.sha256.4711-0a1b2c3d`;
    await writeFile(join(folder, noting), "");
    await writeFile(join(folder, begun), "half a network");
    await writeFile(join(folder, working), "half a network");
    const lock = await tryLock(join(folder, "resnet101-untrained-8.pth.lock"));
    await writeFile(join(folder, `${V1}.lock`), "");
    await utimes(join(folder, `${V1}.lock`), 1, 1);
    await writeFile(join(folder, `${V2}.part.json`), "{}");
    await writeFile(join(folder, "resnet101-untrained-9.pth.sha256"), "00");
    await cache("ls", "--json");
    expect(JSON.parse(printed)).toMatchObject({
      entries: [
        { name: "untrained:7", kind: "leftover", bytes: 14, path: join(folder, begun) },
        { name: "IMAGENET1K_V1", kind: "leftover" },
        { name: "IMAGENET1K_V2", kind: "leftover" },
        { name: "untrained:9", kind: "leftover" },
        { model: "vit_b_16", kind: "leftover", path: join(folder, noting) },
      ],
      others: 4,
    });
    await cache("clear", "--yes");
    expect(printed).toContain("Removed 5 files");
    expect(await left()).toEqual([working, "resnet101-untrained-8.pth.lock"]);
    await lock?.release();
  });

  test("of a directory that does not exist is empty", async () => {
    await rm(folder, { recursive: true });
    expect(await cache("ls")).toBe(0);
    expect(printed).toContain("nothing of isotorch's; 0 other files");
  });
});
