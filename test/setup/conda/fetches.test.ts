import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Fetch, fetchesIn, growthReader } from "../../../src/setup/conda/fetches.ts";
import { messageIn, reportIn } from "../../../src/setup/report.ts";

const PYTORCH: Fetch = { file: "pytorch-1.12.1-py3.10_0.conda", name: "pytorch-1.12.1", bytes: 900 };
const NUMPY: Fetch = { file: "numpy-1.26.4-py310_0.tar.bz2", name: "numpy-1.26.4", bytes: 100 };

describe("what conda prints", () => {
  const record = { fn: NUMPY.file, name: "numpy", version: "1.26.4", size: 100 };

  test.each([
    ["a dry run", { actions: { FETCH: [record], LINK: [] }, dry_run: true }],
    ["one in the words of old versions", { actions: [{ FETCH: [record] }], success: true }],
  ])("%s tells what is fetched", (_what, report) => {
    const text = `warning\n${JSON.stringify(report, undefined, 2)}\n`;
    expect(fetchesIn(text)).toEqual([NUMPY]);
  });

  test("nothing to do is nothing to fetch, and no report is none", () => {
    expect(
      fetchesIn('{\n  "message": "All requested packages already installed.",\n  "success": true\n}\n'),
    ).toEqual([]);
    expect(fetchesIn("Collecting package metadata")).toBeUndefined();
    expect(fetchesIn('{\n  "actions": {\n')).toBeUndefined();
  });

  test("the report is found behind the progress that old versions print", () => {
    const events =
      '{"fetch":"numpy | 1 MB | ","finished":true,"maxval":1,"progress":1}\n\0{"fetch":"x","progress":1}\n';
    expect(reportIn(`${events}\0{\n  "success": false,\n  "message": "No."\n}`)).toMatchObject({
      success: false,
    });
  });

  test("a failure is told with every line, and with each of several errors once", () => {
    const terms = "Terms of Service have not been accepted:\n    - main\n\n    conda tos accept\n";
    expect(messageIn(JSON.stringify({ error: "x", message: terms }))).toBe(terms.trim());
    const errors = [{ message: "A." }, { message: "B." }, { message: "A." }];
    expect(messageIn(JSON.stringify({ errors, message: "A." }))).toBe("A.\nB.");
    expect(messageIn("{}")).toBeUndefined();
  });
});

describe("the growth of the caches", () => {
  let root = "";
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "isotorch caches "));
    await mkdir(join(root, "a"));
    await mkdir(join(root, "b"));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const size = (file: string, bytes: number): Promise<void> =>
    writeFile(join(root, file), Buffer.alloc(bytes));
  const unpack = async (folder: string): Promise<void> => {
    await mkdir(join(root, folder, "info"), { recursive: true });
    await writeFile(join(root, folder, "info/repodata_record.json"), "{}");
  };

  test("is told against the whole, whatever the name that conda gives to an archive on its way", async () => {
    const look = growthReader([PYTORCH, NUMPY], [join(root, "a"), join(root, "b")]);
    expect(await look()).toEqual([{ phase: "downloading", progress: 0, loaded: 0, total: 1000 }]);
    // A small package that is there whole is not the whole.
    await size(`a/${NUMPY.file}`, 100);
    expect(await look()).toEqual([
      expect.objectContaining({ name: "numpy-1.26.4", finished: true, progress: 8 }),
      { phase: "downloading", progress: 8, loaded: 100, total: 1000 },
    ]);
    await size(`b/${PYTORCH.file}`, 450); // conda 4.12
    expect(await look()).toEqual([
      { phase: "downloading", progress: 44, loaded: 550, total: 1000, name: "pytorch-1.12.1" },
    ]);
    await rm(join(root, `b/${PYTORCH.file}`));
    await size(`b/${PYTORCH.file}.partial`, 900); // conda 23.9 and later
    expect((await look()).at(-1)).toMatchObject({ phase: "downloading", loaded: 999 });
    await rename(join(root, `b/${PYTORCH.file}.partial`), join(root, `b/${PYTORCH.file}`));
    expect(await look()).toEqual([
      expect.objectContaining({ name: "pytorch-1.12.1", finished: true }),
      { phase: "extracting", progress: 80, loaded: 1000, total: 1000 },
    ]);
    await unpack("b/pytorch-1.12.1-py3.10_0");
    await unpack("a/numpy-1.26.4-py310_0");
    expect(await look()).toEqual([{ phase: "installing", progress: 95, loaded: 1000, total: 1000 }]);
  });

  test("never goes back, and needs no archive of what is unpacked", async () => {
    const look = growthReader([PYTORCH], [join(root, "a")]);
    await size(`a/${PYTORCH.file}.partial`, 450);
    const before = (await look()).at(-1)?.progress;
    await rm(join(root, `a/${PYTORCH.file}.partial`));
    expect((await look()).at(-1)).toMatchObject({ progress: before });
    await unpack("a/pytorch-1.12.1-py3.10_0");
    expect((await look()).at(-1)).toMatchObject({ phase: "installing", progress: 95 });
  });

  test("of nothing to fetch is told at once", async () => {
    expect(await growthReader([], [root])()).toEqual([
      { phase: "installing", progress: 95, loaded: 0, total: 0 },
    ]);
  });
});
