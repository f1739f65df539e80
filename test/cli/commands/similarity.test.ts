/** `embed`, `similar` and `duplicates`, on a real small network and on a stub of the worker. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run as classify } from "../../../src/cli/commands/classify.ts";
import { run as duplicates } from "../../../src/cli/commands/similarity/duplicates.ts";
import { run as embed } from "../../../src/cli/commands/similarity/embed.ts";
import { run as similar } from "../../../src/cli/commands/similarity/similar.ts";
import { conditionsOf, difference } from "../../../src/cli/job/conditions.ts";
import { CACHE_DIR } from "../../checkpoint.ts";
import { failureOf } from "../../failure.ts";
import { SAID } from "../../info.ts";
import { PYTHON } from "../../python.ts";
import { STANDIN } from "../../standin.ts";
import { printed } from "../printed.ts";

const EXAMPLES = fileURLToPath(new URL("../../../examples/images/", import.meta.url));
const NETWORK = ["--weights", "untrained:0", "--cache-dir", CACHE_DIR, "--threads", "1", "--device", "cpu"];
const STUB = ["--python", STANDIN.python ?? "", ...NETWORK];
const REAL = ["--python", PYTHON, "--model", "squeezenet1_1", ...NETWORK];
const stop = new AbortController().signal;

let folder: string;
let pictures: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "similarity-test-"));
  pictures = join(folder, "pictures");
  mkdirSync(pictures);
  const [one = "", other = ""] = ["landscape.jpg", "fruit.png"].map((name) => join(EXAMPLES, name));
  copyFileSync(one, join(pictures, "a.jpg"));
  copyFileSync(other, join(pictures, "b.png"));
  copyFileSync(one, join(pictures, "c.jpg"));
  writeFileSync(join(pictures, "d.jpg"), "no picture");
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string): string => join(pictures, name);

describe("vectors of a real network", () => {
  let file: string;
  beforeAll(async () => {
    file = join(folder, "vectors.npy");
    const { code, stderr } = await printed(embed, [pictures, "--out", file, ...REAL]);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/4 lines/) as string });
    expect(stderr).toContain("untrained:0: an untrained network, its vectors mean nothing.");
  });

  test("are an array that NumPy reads, with whose they are beside it", () => {
    const script = `
import json, sys, numpy
a = numpy.load(sys.argv[1])
lines = [json.loads(line) for line in open(sys.argv[1] + ".jsonl")]
same = numpy.array([line["embedding"] for line in lines if "embedding" in line], "<f4")
print(json.dumps([a.dtype.str, a.shape, a.flags["C_CONTIGUOUS"], a.tobytes() == same.tobytes(), bool((a != 0).any(1).all())]))`;
    const said = execFileSync(PYTHON, ["-c", script, file], { encoding: "utf8" });
    expect(JSON.parse(said)).toEqual(["<f4", [3, 512], true, true, true]);
    const beside = JSON.parse(readFileSync(`${file}.json`, "utf8")) as Record<string, unknown>;
    expect(beside).toMatchObject({
      inputs: ["a.jpg", "b.png", "c.jpg"].map(at),
      failed: [at("d.jpg")],
      network: { model: "squeezenet1_1", precision: "exact", exif: "ignore", trained: false },
    });
  });

  test("are compared as NumPy compares them in float64", async () => {
    const script = `
import json, sys, numpy
a = numpy.load(sys.argv[1]).astype("float64")
print(json.dumps([float(a[0] @ b / numpy.sqrt((a[0] @ a[0]) * (b @ b))) for b in a]))`;
    const expected = JSON.parse(execFileSync(PYTHON, ["-c", script, file], { encoding: "utf8" })) as number[];
    const { code, stdout, stderr } = await printed(similar, [at("a.jpg"), "--vectors", file, "--json"]);
    expect(code).toBe(0);
    const { input, similar: found } = JSON.parse(stdout) as {
      input: string;
      similar: { input: string; similarity: number }[];
    };
    expect(input).toBe(at("a.jpg"));
    expect(found.map((one) => one.input)).toEqual(["c.jpg", "b.png"].map(at));
    expect(found[0]?.similarity).toBe(1);
    expect(Math.abs((found[1]?.similarity ?? NaN) - (expected[1] ?? NaN))).toBeLessThan(1e-12);
    expect(stderr).toMatch(/1 picture of .*vectors\.npy had failed/);
  });

  test("tell a picture that is there twice", async () => {
    const argv = ["--vectors", file, "--threshold", "1"];
    const { stdout } = await printed(duplicates, [...argv, "--json"]);
    expect(JSON.parse(stdout)).toEqual({
      group: [
        { input: at("a.jpg"), similarity: 1 },
        { input: at("c.jpg"), similarity: 1, identicalTo: at("a.jpg") },
      ],
    });
    expect((await printed(duplicates, argv)).stdout).toBe(
      `group 1, 2 pictures\n  1.000000  ${at("a.jpg")}\n  1.000000  ${at("c.jpg")}  identical to ${at("a.jpg")}\n1 group, with 2 of 3 pictures\n`,
    );
  });

  test("of another network are not compared with these", async () => {
    const failure = await failureOf(printed(similar, [EXAMPLES + "fruit.png", "--vectors", file, ...STUB]));
    expect(failure).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/model/) as string,
    });
  });
});

describe("embed", () => {
  test("prints lines of JSON", async () => {
    const { code, stdout } = await printed(embed, [at("a.jpg"), at("d.jpg"), "--json", ...STUB]);
    expect(code).toBe(1);
    const [first, second] = stdout.trimEnd().split("\n");
    expect(JSON.parse(first ?? "")).toEqual({ input: at("a.jpg"), embedding: [expect.any(Number), 0, 0, 0] });
    expect(JSON.parse(second ?? "")).toMatchObject({
      input: at("d.jpg"),
      error: { code: "UNSUPPORTED_FORMAT" },
    });
  });

  test.each([".jsonl", ".parquet"])(
    "to %s goes on where a run ended, and is compared the same way",
    async (end) => {
      const file = join(folder, `again${end}`);
      const argv = [pictures, "--out", file, ...STUB];
      await printed(embed, argv);
      const lines = end === ".jsonl" ? file : `${file}.jsonl`;
      const whole = readFileSync(lines, "utf8");
      expect(whole.trimEnd().split("\n")).toHaveLength(4);
      const [first = ""] = whole.split("\n");
      writeFileSync(lines, `${first}\n`);
      appendFileSync(lines, '{"input":"half a li');
      expect((await printed(embed, argv)).code).toBe(1);
      expect(readFileSync(lines, "utf8")).toBe(whole);
      const other = await failureOf(printed(embed, [...argv, "--exif", "apply"]));
      expect(other).toMatchObject({
        code: "INVALID_OPTION",
        message: expect.stringMatching(/exif/) as string,
      });
      const found = await printed(similar, [at("c.jpg"), "--vectors", file, "--top-k", "1"]);
      expect(found.stdout).toBe(`${at("c.jpg")}\n   1.000000  ${at("a.jpg")}\n`);
    },
  );

  test.each([
    ["there is no picture", ["--json"], /No picture/],
    ["it is not said where the vectors go", ["a.jpg"], /where the vectors go/],
    ["they are to go to two places", ["a.jpg", "--json", "--out", "v.npy"], /one of them/],
    ["the file ends otherwise", ["a.jpg", "--out", "v.csv"], /ends with .parquet, .npy, .jsonl/],
    ["NUL is said without a list", ["a.jpg", "--json", "--null"], /--from/],
    ["stdin is asked for twice", ["-", "--from", "-", "--json"], /only once/],
  ])("is refused when %s", async (_, argv, why) => {
    expect(await failureOf(embed(argv, stop))).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(why) as string,
    });
  });
});

describe("pictures that are embedded at once", () => {
  test("are compared with the query, which is left out, and failures are told", async () => {
    const { code, stdout, stderr } = await printed(similar, [at("a.jpg"), pictures, ...STUB]);
    expect(code).toBe(1);
    expect(stdout).toBe(`${at("a.jpg")}\n   1.000000  ${at("b.png")}\n   1.000000  ${at("c.jpg")}\n`);
    expect(stderr).toMatch(/d\.jpg\n {2}UNSUPPORTED_FORMAT: /);
  });

  test("are grouped, and a line tells each failure", async () => {
    const { code, stdout } = await printed(duplicates, [pictures, "--json", ...STUB]);
    expect(code).toBe(1);
    const [failed, group] = stdout.trimEnd().split("\n");
    expect(JSON.parse(failed ?? "")).toMatchObject({
      input: at("d.jpg"),
      error: { code: "UNSUPPORTED_FORMAT" },
    });
    const { group: members } = JSON.parse(group ?? "") as {
      group: { input: string; identicalTo?: string }[];
    };
    expect(members.map(({ input, identicalTo = "" }) => [basename(input), basename(identicalTo)])).toEqual([
      ["a.jpg", ""],
      ["b.png", ""],
      ["c.jpg", "a.jpg"],
    ]);
  });

  test.each([
    ["a query alone", similar, ["a.jpg"]],
    ["folders and vectors", similar, ["a.jpg", "x/", "--vectors", "v.npy"]],
    ["nothing", duplicates, []],
    ["a threshold above 1", duplicates, ["x/", "--threshold", "2"]],
  ])("are refused for %s", async (_, run, argv) => {
    expect(await failureOf(run(argv, stop))).toMatchObject({ code: "INVALID_OPTION" });
  });

  test("are refused as a query when they are several, or all zeros", async () => {
    const several = await failureOf(printed(similar, [pictures, pictures, ...STUB]));
    expect(several).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/several/) as string,
    });
    const file = join(folder, "zeros.jsonl");
    writeFileSync(file, '{"input":"a","embedding":[0,0]}\n{"input":"b","embedding":[1,0]}\n');
    expect(await failureOf(similar(["a", "--vectors", file], stop))).toMatchObject({ code: "INVALID_INPUT" });
    const { stdout, stderr } = await printed(similar, ["b", "--vectors", file, "--json"]);
    expect(JSON.parse(stdout)).toEqual({ input: "b", similar: [] });
    expect(stderr).toContain("1 vector is all zeros");
  });
});

describe("a job is refused under another setting:", () => {
  const conditions = { topK: 5, include: {}, activation: "softmax", threshold: 0 };

  test("the activation and the threshold of classify", async () => {
    const file = join(folder, "answers.jsonl");
    const argv = [at("a.jpg"), "--out", file, ...STUB];
    expect((await printed(classify, argv)).code).toBe(0);
    for (const [name, value] of [
      ["activation", "sigmoid"],
      ["threshold", "0.5"],
    ] as const)
      expect(await failureOf(printed(classify, [...argv, `--${name}`, value]))).toMatchObject({
        code: "INVALID_OPTION",
        message: expect.stringMatching(new RegExp(`with "?${name}"? `)) as string,
      });
    const { conditions: known } = JSON.parse(readFileSync(`${file}.job`, "utf8")) as { conditions: object };
    expect(known).toMatchObject({ ...conditions, spec: { resize: 256, crop: 224 } });
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  test("the state dict of a file that has several, and the preprocessing", () => {
    const info = SAID;
    const before = conditionsOf(info, {});
    expect(difference(before, conditionsOf(structuredClone(info), { exif: "ignore" }))).toBeUndefined();
    const ema = { ...info, weights: { ...info.weights, checkpointKey: "model_ema" } };
    expect(difference(before, conditionsOf(ema, {}))).toBe("checkpointKey");
    const wide = { ...info, spec: { ...info.spec, crop: [224, 320] as const } };
    expect(difference(before, conditionsOf(wide, {}))).toBe("spec");
  });
});
