import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { run } from "../../../src/cli/commands/tutorial.ts";
import { IsotorchError } from "../../../src/base/errors.ts";
import { askPython, compareBits, compareWithPython, walkOf } from "../../../src/parity/tutorial/check.ts";
import type { PythonAnswer } from "../../../src/parity/tutorial/check.ts";
import { printTensor } from "../../../src/parity/tutorial/print.ts";
import {
  checkPublished,
  comparePublished,
  publishedFigures,
} from "../../../src/parity/tutorial/published.ts";
import { reprText, reprTuple } from "../../../src/parity/tutorial/repr.ts";
import { mendings, tutorialSteps } from "../../../src/parity/tutorial/steps.ts";
import { runTutorial } from "../../../src/parity/tutorial/tutorial.ts";
import type { Tutorial } from "../../../src/parity/tutorial/tutorial.ts";
import { MODEL, UNTRAINED, lightning } from "../../checkpoint.ts";
import { PYTHON } from "../../python.ts";
import { encoded } from "../../texts.ts";

const PICTURE = fileURLToPath(new URL("../../../examples/images/balloons.jpg", import.meta.url));
const PALETTE = fileURLToPath(new URL("../../../examples/images/fruit.png", import.meta.url));

/** As people in China have them. */
const LABELS = Array.from({ length: 1000 }, (_, at) => `${at}号金鱼`);

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "tutorial-test-"));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function failure(promise: Promise<unknown>): Promise<IsotorchError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(IsotorchError);
  return error as IsotorchError;
}

async function printed(argv: readonly string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => lines.push(String(text)) > 0);
  try {
    return { code: await run(argv), text: lines.join("") };
  } finally {
    write.mockRestore();
  }
}

describe("refused, with the reason:", () => {
  test("a URL, which Image.open would not take", async () => {
    const error = await failure(runTutorial("https://example.com/dog.jpg", UNTRAINED as object));
    expect(error).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining("IMAGE is a path"),
    });
  });

  test("another device than the text's", async () => {
    expect((await failure(runTutorial(PICTURE, { device: "cuda" }))).code).toBe("INVALID_OPTION");
  });

  test.each([[[]], [["a.jpg", "b.jpg"]], [["--published", "--check"]]])(
    "the command line %j",
    async (argv) => {
      expect((await failure(run(argv))).code).toBe("INVALID_OPTION");
    },
  );

  test("labels that are not one per line, which the tutorial would not read", async () => {
    const file = join(scratch, "labels.py");
    writeFileSync(file, `{${LABELS.map((name, at) => `${at}: '${name}'`).join(",\n ")}}`);
    const error = await failure(runTutorial(PICTURE, { labels: file }));
    expect(error).toMatchObject({
      code: "BAD_LABELS",
      message: expect.stringContaining("one label per line"),
    });
  });

  test.each([
    ["no values", 0, [1, 0]],
    ["more than torch prints in full", 1001, [1, 1001]],
    ["another shape", 4, [3]],
    ["no dimension", 1, []],
  ])("to print a tensor with %s", (_, length, shape) => {
    expect(() => printTensor(new Float32Array(length), shape)).toThrow(IsotorchError);
  });
});

describe("what Python prints:", () => {
  test("tensors of every magnitude print as torch prints them", () => {
    const cases = tensors();
    const asked = cases.map(({ data, shape }) => ({
      data: Buffer.from(data.buffer).toString("base64"),
      shape,
    }));
    const script = `
import base64, json, sys, numpy, torch
for case in json.load(sys.stdin):
    array = numpy.frombuffer(base64.b64decode(case["data"]), "<f4").reshape(case["shape"]).copy()
    graph = torch.from_numpy(array)
    print(json.dumps(repr(graph.requires_grad_().clone() if graph.dim() == 2 else graph)))`;
    const lines = python(script, JSON.stringify(asked)).trim().split("\n");
    expect(lines).toHaveLength(cases.length);
    for (const [at, { data, shape }] of cases.entries()) {
      const suffixes = shape.length === 2 ? ["grad_fn=<CloneBackward0>"] : [];
      expect(printTensor(data, shape, suffixes)).toBe(JSON.parse(lines[at] ?? ""));
    }
  });

  test("strings are quoted and escaped as repr() does", () => {
    const texts = [
      "dog",
      "devil's needle",
      'say "dog"',
      `both ' and "`,
      "back\\slash",
      "a\tb\nc\rd",
      "\u0007\u007f\u00a0",
    ];
    texts.push("\u00ad\u200b\u2028", "Löwe 狗 🐕", "\u{e0001}", "");
    const script = "import json, sys\nfor text in json.load(sys.stdin): print(json.dumps(repr(text)))";
    const lines = python(script, JSON.stringify(texts)).trim().split("\n");
    expect(texts.map(reprText)).toEqual(lines.map((line) => JSON.parse(line) as string));
  });

  test("a tuple of one has its comma", () => {
    expect([reprTuple(["1"]), reprTuple(["1", "2"]), reprTuple([])]).toEqual(["(1,)", "(1, 2)", "()"]);
  });

  function python(script: string, input: string): string {
    return execFileSync(PYTHON, ["-c", script], { input, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  }
});

describe("the tutorial, replayed:", () => {
  let tutorial: Tutorial;
  let answer: PythonAnswer;
  beforeAll(async () => {
    const labels = join(scratch, "labels.txt");
    writeFileSync(labels, encoded(LABELS.join("\r\n"), "gb18030"));
    tutorial = await runTutorial(PALETTE, { ...(UNTRAINED as object), model: "resnet18", labels });
    answer = await askPython(walkOf(tutorial), tutorial.info);
  });

  test("one wrong line and one wrong bit are noticed", () => {
    const logits = Float32Array.from(tutorial.facts.logits);
    new Uint32Array(logits.buffer)[7]! ^= 1;
    const steps = tutorial.steps.map((step) =>
      step.python === "dir(models)" ? { ...step, output: step.output.replace("AlexNet", "AlexNot") } : step,
    );
    const check = compareWithPython(walkOf({ steps, facts: { ...tutorial.facts, logits } }), answer);
    expect(check.same).toBe(false);
    const wrong = steps.filter((_, at) => check.steps[at]?.same === false);
    expect(wrong.map(({ python }) => python)).toEqual(["dir(models)"]);
    expect(check.bits).toMatchObject([
      { name: "out", values: 1000, differing: 1 },
      { name: "percentage", values: 1000, differing: 0 },
    ]);
  });

  test("a label that is another one is noticed where it is printed", () => {
    const labels = tutorial.facts.labels.map((label, at) =>
      at === tutorial.facts.order[4] ? "no such thing" : label,
    );
    const steps = tutorialSteps({ ...tutorial.facts, labels });
    const check = compareWithPython(walkOf({ ...tutorial, steps }), answer);
    expect(check.steps.map(({ same }) => same).lastIndexOf(false)).toBe(steps.length - 1);
    expect(check.steps.filter(({ same }) => !same)).toHaveLength(1);
  });

  test("every output and every bit is plain Python's, of a palette picture and of labels in GBK too", () => {
    expect(tutorial.steps.map(({ python }) => python).join("\n")).toContain("encoding='gb18030'");
    expect(tutorial.steps.at(-1)?.output).toContain("号金鱼");
    const check = compareWithPython(walkOf(tutorial), answer);
    for (const [at, { python, output }] of tutorial.steps.entries()) {
      expect(check.steps[at]?.output, python).toBe(output);
    }
    expect(check.bits).toMatchObject([{ differing: 0 }, { differing: 0 }]);
    expect(check.same).toBe(true);
  });

  test("a statement that fails brings its traceback", async () => {
    const steps = [{ python: "labels[[]idx]", output: "" }];
    const error = await failure(askPython({ steps, bits: {} }, tutorial.info));
    expect(error).toMatchObject({ code: "WORKER_ERROR", traceback: expect.stringContaining("SyntaxError") });
  });

  test("the steps keep the seed's order and name the file that was given", () => {
    const typed = tutorial.steps.map(({ python }) => python);
    const marks = ["dir(models)", "resnet = resnet.eval()", "preprocess", "img", "out", "index"];
    expect(typed.filter((line) => marks.includes(line))).toEqual(marks);
    expect(typed).toContain(`img = Image.open('${PALETTE}').convert('RGB')`);
    expect(typed.at(-1)).toBe("[(labels[idx], percentage[idx].item()) for idx in indices[0][:5]]");
  });

  test("every misprint of the text is named", () => {
    const seeds = mendings(tutorial.facts)
      .map(([seed]) => seed)
      .join("\n");
    for (const misprint of ["resent101", "0,406", "labels[[]idx]", "open(''D:", "eval()", "mean=["])
      expect(seeds).toContain(misprint);
  });

  test("-0 and 0 have other bits, a NaN has its own", () => {
    const ours = Float32Array.of(0, Number.NaN, 1);
    const theirs = Float32Array.of(-0, Number.NaN, 1.5);
    expect(compareBits("out", ours, theirs)).toMatchObject({ differing: 2, largestDifference: 0.5 });
  });
});

test("as written, without eval(): another answer, and Python's in every bit", async () => {
  const { threads = 2, cacheDir = "", weights = "" } = UNTRAINED;
  const flags = [
    "--model",
    MODEL,
    "--weights",
    weights,
    "--cache-dir",
    cacheDir,
    "--python",
    PYTHON,
    "--threads",
    String(threads),
  ];
  const { code, text } = await printed([PICTURE, "--as-written", "--check", "--json", ...flags]);
  const { steps, check } = JSON.parse(text) as {
    steps: { python: string; output: string; check: { output: string } }[];
    check: { same: boolean; bits: object[] };
  };
  expect(steps.some(({ python }) => python.includes("eval()"))).toBe(false);
  for (const step of steps) expect(step.check.output, step.python).toBe(step.output);
  expect(check.bits).toMatchObject([{ differing: 0 }, { differing: 0 }]);
  expect([code, check.same]).toEqual([0, true]);
});

describe("another network than the text's:", () => {
  test("its own preprocessing and its own file, of ten classes, print as Python prints them", async () => {
    const weights = join(scratch, "mine.ckpt");
    copyFileSync(lightning(), weights);
    const transforms = { resize: [70, 90], crop: [64, 80], interpolation: "bicubic" } as const;
    const options = { weights, transforms, threads: 2, python: PYTHON };
    const tutorial = await runTutorial(PICTURE, options);
    const typed = tutorial.steps.map(({ python }) => python).join("\n");
    for (const line of [
      "network = models.squeezenet1_1(num_classes=10)",
      "state = torch.load('mine.ckpt', map_location='cpu')['state_dict']",
      "transforms.Resize((70, 90), interpolation=transforms.InterpolationMode.BICUBIC)",
      "labels = [f'class {number}' for number in range(10)]",
    ])
      expect(typed).toContain(line);
    const answer = await askPython(walkOf(tutorial), tutorial.info);
    const check = compareWithPython(walkOf(tutorial), answer);
    for (const [at, { python, output }] of tutorial.steps.entries())
      expect(check.steps[at]?.output, python).toBe(output);
    expect(check.bits).toMatchObject([
      { values: 10, differing: 0 },
      { values: 10, differing: 0 },
    ]);
    // Its Dropout draws.
    const unanswerable = await failure(runTutorial(PICTURE, { ...options, asWritten: true }));
    expect(unanswerable).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining("draws random numbers"),
    });
  });

  test("has no published figures", async () => {
    const error = await failure(run(["--published", "--model", "resnet50"]));
    expect(error).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining("for resnet101 alone"),
    });
  });
});

describe("--published", () => {
  test("says that it cannot where the weights are not, and does not pass", async () => {
    const error = await failure(checkPublished(undefined, { cacheDir: scratch }));
    expect(error).toMatchObject({
      code: "WEIGHTS_NOT_FOUND",
      message: expect.stringContaining("cannot be checked here"),
    });
    expect(error.hint).toContain("nothing has passed");
  });

  test("fails on another label, another order, a percentage too far off, and too few classes", async () => {
    const figures = await publishedFigures();
    const { top } = figures;
    const [best, ...rest] = top;
    if (best === undefined) throw new Error("no figures");
    const wrong = [
      [{ ...best, label: "dog" }, ...rest],
      [{ ...best, percent: best.percent - 0.002 }, ...rest],
      top.toReversed(),
      top.slice(0, 4),
      [{ ...best, percent: Number.NaN }, ...rest],
    ];
    for (const answer of wrong) expect(comparePublished(answer, figures).passed).toBe(false);
  });

  test("passes with the published digits, and says so when the last ones differ", async () => {
    const figures = await publishedFigures();
    expect(comparePublished(figures.top, figures)).toMatchObject({ passed: true, exact: true });
    const near = figures.top.map((entry) => ({ ...entry, percent: entry.percent + 1e-5 }));
    const comparison = comparePublished(near, figures);
    expect(comparison).toMatchObject({ passed: true, exact: false });
    expect(comparison.rows[0]).toMatchObject({ verdict: "within tolerance" });
    expect(comparison.rows[0]?.difference).toBeCloseTo(1e-5, 8);
  });
});

/** Seeded: every notation of torch's printer, ties of its rounding, and what is not finite. */
function tensors(): { data: Float32Array; shape: number[] }[] {
  let state = 7;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const anyBits = new Float32Array(1);
  const kinds: (() => number)[] = [
    () => normal(),
    () => normal() + 20,
    () => normal() * 10 ** Math.floor(random() * 12 - 6),
    () => normal() * 1e-6,
    () => normal() * 1e7,
    () => normal() * 1e30,
    () => Math.round(normal() * 5),
    () => Math.round(normal() * 1e6),
    () => Math.round(normal() * 1e5) * 1e5,
    () => (Math.round(normal() * 1e5) * 2 + 1) / 2 ** 5, // ties at four decimals
    () => (Math.round(random() * 1e4 + 1e4) * 2 + 1) * 5, // ties at five digits
    () => (random() < 0.5 ? 0 : -0),
    () =>
      [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, normal(), -0][
        Math.floor(random() * 5)
      ] ?? 0,
    () => (random() < 0.1 ? Number.NEGATIVE_INFINITY : Math.round(normal() * 50)),
    () => {
      new Uint32Array(anyBits.buffer)[0] = Math.floor(random() * 2 ** 32);
      return anyBits[0] ?? 0;
    },
    () =>
      [999.95, 9.99995, 99_999.5, 0.000_1, 1e-4 - 1e-9, 1e8, 1.5, 0.031_25][Math.floor(random() * 8)] ?? 0,
  ];
  return kinds.flatMap((draw) =>
    [[1, 1000], [1], [7], [3, 5], [2, 3, 4], [1, 13], [40], [1, 8]].map((shape) => {
      const length = shape.reduce((product, size) => product * size, 1);
      return { data: Float32Array.from({ length }, draw), shape };
    }),
  );
}
