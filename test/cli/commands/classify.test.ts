/** The command around a fake classifier; `commands.test.ts` and `signals.test.ts` run it with the real worker. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { run } from "../../../src/cli/commands/classify.ts";
import { IsotorchError } from "../../../src/base/errors.ts";
import { createFakeClassifier } from "../../../src/testing/fake.ts";
import { codeOf } from "../../failure.ts";

const LABELS = ["tench", 'a "quoted", label'];
vi.mock("../../../src/classification/classifier.ts", () => ({
  createClassifier: () =>
    createFakeClassifier(
      () => [
        { index: 1, score: 0.75, percent: 75.00000762939453 },
        { index: 0, score: 0.25 },
      ],
      {
        labels: LABELS,
        failWith: (image) =>
          typeof image === "string" && image.includes("bad")
            ? new IsotorchError("DECODE_FAILED", "It is cut short.")
            : undefined,
      },
    ),
}));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "classify-test-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function printed(argv: readonly string[]): Promise<Printed> {
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      texts[name] += String(text);
      return true;
    });
  }
  const code = await run(argv, new AbortController().signal).finally(() => vi.restoreAllMocks());
  return { code, ...texts };
}

describe("the answers are", () => {
  test("lines of JSON, one per picture and in order, errors among them", async () => {
    const { code, stdout } = await printed(["a.jpg", "bad.jpg", "*.none", "b.jpg", "--json", "--top-k", "1"]);
    expect(code).toBe(1);
    const top = [{ label: LABELS[1], index: 1, score: 0.75, percent: 75.00000762939453 }];
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([
      { input: "a.jpg", top },
      {
        input: "bad.jpg",
        error: expect.objectContaining({ code: "DECODE_FAILED", message: "It is cut short." }),
      },
      { input: "*.none", error: expect.objectContaining({ code: "INPUT_NOT_FOUND" }) },
      { input: "b.jpg", top },
    ]);
  });

  test("rows of CSV, quoted where they must be", async () => {
    expect((await printed(['a,"b".jpg', "bad.jpg", "--csv"])).stdout).toBe(
      `input,rank,index,label,score,percent,error,message
"a,""b"".jpg",1,1,"a ""quoted"", label",0.75,75.00000762939453,,
"a,""b"".jpg",2,0,tench,0.25,25,,
bad.jpg,,,,,,DECODE_FAILED,It is cut short.
`,
    );
  });

  test.each(["csv", "tsv"])(
    "rows of %s after the mark by which Excel knows UTF-8, and nothing else new",
    async (format) => {
      const argv = ["狗.jpg", "bad.jpg", `--${format}`];
      const plain = (await printed(argv)).stdout;
      expect((await printed([...argv, "--bom"])).stdout).toBe(`\uFEFF${plain}`);
      expect(plain).toMatch(/^input[,\t]rank[,\t]index[,\t]label/);
      expect(plain).toContain("狗.jpg");
    },
  );

  test("rows of TSV, a field never having a tab or a line end of its own", async () => {
    const { stdout } = await printed(["a\tb\nc\\d.jpg", "--format", "tsv", "--top-k", "1"]);
    expect(stdout.split("\n")[1]).toBe(
      `a\\tb\\nc\\\\d.jpg\t1\t1\ta "quoted", label\t0.75\t75.00000762939453\t\t`,
    );
  });

  test("a plain table in a pipe, failures on stderr", async () => {
    const { stdout, stderr } = await printed(["a.jpg", "bad.jpg"]);
    expect(stdout).toBe(`a.jpg\n  a "quoted", label  75.00000762939453\n  tench              25\n`);
    expect(stderr).toMatch(
      /an untrained network, its labels mean nothing\.\nbad\.jpg\n {2}DECODE_FAILED: It is cut short\.\n/,
    );
  });
});

describe("the pictures come", () => {
  test("from folders, patterns and a list, in that order", async () => {
    mkdirSync(join(folder, "in"));
    for (const name of ["in/2.jpg", "in/1.jpg", "x.png"]) writeFileSync(join(folder, name), "");
    writeFileSync(
      join(folder, "list"),
      ["bad-listed.jpg", "listed.jpg"].map((name) => join(folder, name)).join("\0"),
    );
    const list = ["--from", join(folder, "list"), "--null"];
    const { stdout } = await printed([join(folder, "in"), join(folder, "*.png"), ...list, "--json"]);
    const inputs = stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { input: string }).input);
    expect(inputs.map((input) => relative(folder, input).replaceAll("\\", "/"))).toEqual([
      "in/1.jpg",
      "in/2.jpg",
      "x.png",
      "bad-listed.jpg",
      "listed.jpg",
    ]);
  });

  test("tens of thousands of them, in order and with few in memory, though the reader is slow now and then", async () => {
    const names = Array.from({ length: 20_000 }, (_, at) => (at % 100 === 7 ? `bad ${at}.jpg` : `${at}.jpg`));
    writeFileSync(join(folder, "list"), names.join("\n"));
    let lines = 0;
    let wrong = 0;
    let unread = 0;
    let mostUnread = 0;
    vi.spyOn(process.stdout, "write").mockImplementation((text: unknown, written?: unknown) => {
      if (text === "") return true;
      const { input } = JSON.parse(String(text)) as { input: string };
      if (input !== names[lines++]) wrong++;
      mostUnread = Math.max(mostUnread, ++unread);
      if (lines % 1_000 !== 0) return true;
      setImmediate(() => {
        unread = 0;
        (written as () => void)();
      });
      return false;
    });
    const code = await run(["--from", join(folder, "list"), "--json"], new AbortController().signal);
    vi.restoreAllMocks();
    expect({ code, lines, wrong }).toEqual({ code: 1, lines: 20_000, wrong: 0 });
    expect(mostUnread).toBeLessThanOrEqual(1_000);
  });

  test("from a folder that is watched, each answered at once, until the signal", async () => {
    const stop = new AbortController();
    let seen = "";
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      seen += String(text);
      return true;
    });
    const ended = run(["first.jpg", "--watch", folder, "--json"], stop.signal);
    await expect.poll(() => seen).toContain("first.jpg");
    for (const name of ["one.jpg", "bad.jpg"]) {
      writeFileSync(join(folder, name), "x");
      await expect.poll(() => seen).toContain(name);
    }
    stop.abort();
    expect(await ended).toBe(1);
    expect(seen.trim().split("\n")).toHaveLength(3);
  });
});

describe("the command line is refused when", () => {
  test.each([
    ["there is no picture", []],
    ["two formats are asked for", ["a.jpg", "--csv", "--json"]],
    ["a mark is asked for before what is no table of rows", ["a.jpg", "--json", "--bom"]],
    ["the format is unknown", ["a.jpg", "--format", "xml"]],
    ["stdin is asked for twice", ["-", "--from", "-"]],
    ["NUL is said without a list", ["a.jpg", "--null"]],
    ["a manifest would never be written", ["--watch", ".", "--manifest", "m.json"]],
    ["thumbnails are of an unknown kind", ["a.jpg", "--thumbnails", "sixel"]],
    ["what to include is unknown", ["a.jpg", "--include", "logits,pixel"]],
  ])("%s", async (_, argv) => {
    expect(await codeOf(run(argv, new AbortController().signal))).toBe("INVALID_OPTION");
  });
});
