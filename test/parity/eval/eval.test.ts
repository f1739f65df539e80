import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import type { Sharp } from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createClassifier } from "../../../src/classification/classifier.ts";
import { run } from "../../../src/cli/commands/eval.ts";
import { IsotorchError } from "../../../src/base/errors.ts";
import { EvalLog } from "../../../src/parity/eval/log.ts";
import { evaluate } from "../../../src/parity/eval/eval.ts";
import { classTree, matchFolders, readImageFolder } from "../../../src/parity/eval/imagefolder.ts";
import type { ClassTree } from "../../../src/parity/eval/imagefolder.ts";
import { readManifest } from "../../../src/parity/golden/manifest.ts";
import type { Transforms } from "../../../src/image/spec.ts";
import { CACHE_DIR, UNTRAINED, lightning } from "../../checkpoint.ts";
import { PYTHON } from "../../python.ts";
import { STANDIN } from "../../standin.ts";

const REFERENCE = fileURLToPath(new URL("../../../python/eval_reference.py", import.meta.url));
const LABELS = ["tench", "crane", "hen", "crane", "kite"];
const THOUSAND = Array.from({ length: 1000 }, (_, index) => `class ${index}`);

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "eval-test-"));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function readTree(root: string): Promise<ClassTree> {
  return classTree(await readImageFolder(root), LABELS);
}

async function failure(promise: Promise<unknown>): Promise<IsotorchError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(IsotorchError);
  return error as IsotorchError;
}

/** Files by their names below a new folder; an empty text is enough for what is never decoded. */
function treeOf(files: Readonly<Record<string, Uint8Array | string>>): string {
  const root = mkdtempSync(join(scratch, "tree-"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

describe("a tree that is none is refused, with the reason:", () => {
  test.each([
    ["a folder that is not there", () => join(scratch, "none"), "INPUT_NOT_FOUND", "does not exist"],
    ["a file", () => join(treeOf({ "a.jpg": "" }), "a.jpg"), "INPUT_UNREADABLE", "cannot be read"],
    ["no class folders", () => treeOf({ "a.jpg": "" }), "INVALID_INPUT", "has no class folders"],
    [
      "a class without pictures",
      () => treeOf({ "0/a.jpg": "", "2/notes.txt": "" }),
      "INVALID_INPUT",
      "no picture in the class folders 2",
    ],
    [
      "a folder that is no class",
      () => treeOf({ "hen/a.jpg": "", "hem/a.jpg": "" }),
      "INVALID_INPUT",
      '"hem" is neither',
    ],
    ["a link that leads back", () => looped(), "INVALID_INPUT", "is a link to a folder that it is in"],
  ])("%s", async (_, make, code, sentence) => {
    expect(await failure(readTree(make()))).toMatchObject({
      code,
      message: expect.stringContaining(sentence),
    });
  });

  test.each([
    [["5"], "neither a label nor an index"],
    [["2", "hen"], "some are indices, and some are labels"],
    [["1", "01"], "are the same class"],
    [["hen", "crane"], 'Two classes are called "crane"'],
    [["n01440764", "n01443537"], "neither a label nor an index"],
  ])("folders %j", (names, sentence) => {
    expect(() => matchFolders(names, LABELS)).toThrow(sentence);
  });

  function looped(): string {
    const root = treeOf({ "0/a.jpg": "" });
    symlinkSync(root, join(root, "0", "again"));
    return root;
  }
});

describe("which class a folder is:", () => {
  test("its index, whatever the sorted order says", () => {
    expect(matchFolders(["0", "10", "2"], THOUSAND)).toEqual({ naming: "index", indices: [0, 10, 2] });
  });

  test("its label", () => {
    expect(matchFolders(["hen", "kite"], LABELS)).toEqual({ naming: "label", indices: [2, 4] });
  });

  test("its place, when there is one for each class, as with ImageNet's names", () => {
    const names = LABELS.map((_, at) => `n0144076${at}`);
    expect(matchFolders(names, LABELS)).toEqual({ naming: "order", indices: [0, 1, 2, 3, 4] });
  });

  test("its synset, in any number, where the classes are ImageNet's", () => {
    const path = fileURLToPath(new URL("../../../models/imagenet_synsets.txt", import.meta.url));
    const synsets = readFileSync(path, "utf8").trim().split("\n");
    // In ImageNet's order, which is sorted: golden retriever and tench.
    expect([synsets.length, new Set(synsets).size]).toEqual([1000, 1000]);
    expect(synsets).toEqual(synsets.toSorted());
    expect(matchFolders(["n01440764", "n02099601"], THOUSAND, synsets)).toEqual({
      naming: "synset",
      indices: [0, 207],
    });
    expect(() => matchFolders(["n02099601", "n99999999"], THOUSAND, synsets)).toThrow("n99999999");
  });

  test("all 1,000 by index are not mistaken for their sorted order", () => {
    const names = THOUSAND.map((_, index) => String(index)).toSorted();
    expect(matchFolders(names, THOUSAND).indices).toEqual(names.map(Number));
  });
});

test("pictures are found in ImageFolder's own order: nested, linked, in capitals, beyond plane 0", async () => {
  const names = [
    "1/b.JPG",
    "1/a/z.png",
    "1/a-b/y.webp",
    "1/a/c/x.tiff",
    "1/B.jpeg",
    "1/\u{1f415}.jpg",
    "1/\uff5e.jpg",
    "3/.hidden.bmp",
  ];
  const root = treeOf(
    Object.fromEntries([...names, "1/notes.txt", "1/a.jpg.gz", "top.jpg"].map((name) => [name, ""])),
  );
  mkdirSync(join(root, "2"));
  symlinkSync(join(root, "1", "a"), join(root, "2", "linked"));
  const script =
    "import json, sys\nfrom torchvision.datasets import ImageFolder\nprint(json.dumps(ImageFolder(sys.argv[1]).samples))";
  const samples = JSON.parse(execFileSync(PYTHON, ["-c", script, root], { encoding: "utf8" })) as [
    string,
    number,
  ][];
  const found = await readTree(root);
  expect(found.samples.map(({ path }) => path)).toEqual(samples.map(([path]) => path));
  expect(found).toMatchObject({ folders: 3, naming: "index" });
});

describe("the file of a resumable run", () => {
  const conditions = { weights: "abc", threads: "2" };
  const HEADER = `${JSON.stringify({ isotorchEval: 1, conditions })}\n`;
  const LINE = `${JSON.stringify({ name: "2/a.jpg", class: 2, top: [2, 1] })}\n`;

  test.each([
    ["another's file", "hello\nworld\n", "is not the file"],
    ["another's file of one unfinished line", "hello", "is not the file"],
    ["other conditions", HEADER.replace('"2"', '"1"'), "threads 1 instead of 2"],
    ["a damaged line", `${HEADER}{"name":"2/a.j\n${LINE}`, "damaged in line 2"],
    ["a line without an answer", `${HEADER}{"name":"a","class":1}\n`, "damaged in line 2"],
    ["two lines for one picture", HEADER + LINE + LINE, "two lines for 2/a.jpg"],
  ])("is refused and left as it is: %s", async (_, content, sentence) => {
    const path = join(treeOf({ "log.jsonl": content }), "log.jsonl");
    const error = await failure(EvalLog.open(path, conditions));
    expect(error).toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining(sentence) });
    expect(readFileSync(path, "utf8")).toBe(content);
  });

  test.each([
    ["nothing at all", "", 0],
    ["half a header", HEADER.slice(0, 20), 0],
    ["half a line", HEADER + LINE + LINE.slice(0, 12), 1],
    ["a line that lacks its end alone", HEADER + LINE.trimEnd(), 0],
  ])("survives being killed after %s", async (_, content, kept) => {
    const path = join(treeOf({ "log.jsonl": content }), "log.jsonl");
    const log = await EvalLog.open(path, conditions);
    expect(log.records).toHaveLength(kept);
    log.append({ name: "2/b.jpg", class: 2, top: [0] });
    await log.close();
    const again = await EvalLog.open(path, conditions);
    expect(again.records.map(({ name }) => name)).toEqual(["2/a.jpg", "2/b.jpg"].slice(1 - kept));
    await again.close();
  });
});

describe("the figures", () => {
  let pictures: { name: string; bytes: Uint8Array }[];
  let root: string;
  let flags: string[];
  beforeAll(async () => {
    pictures = await render();
    await using classifier = await createClassifier({ ...UNTRAINED, model: "squeezenet1_1" });
    const answers = await classifier.classify(
      pictures.map(({ bytes }) => bytes),
      { topK: 1000 },
    );
    // Each picture's class is what the network finds at this rank, so that every figure is another number.
    const ranks = [0, 0, 3, 4, 5, 999];
    const files = pictures.map(
      ({ name, bytes }, at) => [`${answers[at]?.[ranks[at] ?? 0]?.index}/${name}`, bytes] as const,
    );
    root = treeOf({ ...Object.fromEntries(files), "7/cut.jpg": pictures[0]?.bytes.subarray(0, 400) ?? "" });
    flags = [
      "--model",
      "squeezenet1_1",
      "--weights",
      "untrained:0",
      "--cache-dir",
      CACHE_DIR,
      "--python",
      PYTHON,
      "--threads",
      "2",
    ];
  });

  test("are those of a plain torchvision loop; a bad picture is listed and makes the exit code 1", async () => {
    const manifest = join(scratch, "manifest.json");
    const lines: string[] = [];
    const write = vi
      .spyOn(process.stdout, "write")
      .mockImplementation((text) => lines.push(String(text)) > 0);
    const code = await run([root, "--json", "--manifest", manifest, ...flags]).finally(() =>
      write.mockRestore(),
    );
    const ours = JSON.parse(lines.join("")) as Record<string, unknown>;
    const args = [
      REFERENCE,
      root,
      "--checkpoint",
      join(CACHE_DIR, "squeezenet1_1-untrained-0.pth"),
      "--model",
      "squeezenet1_1",
      "--threads",
      "2",
    ];
    const theirs = JSON.parse(
      execFileSync(PYTHON, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    ) as object;
    expect(theirs).toEqual({
      pictures: 7,
      evaluated: 6,
      failed: 1,
      correct1: 2,
      correct5: 4,
      top1: 2 / 6,
      top5: 4 / 6,
    });
    expect(ours).toMatchObject(theirs);
    expect(ours["failures"]).toMatchObject([{ input: "7/cut.jpg", error: { code: "DECODE_FAILED" } }]);
    expect(code).toBe(1);

    const written = await readManifest(manifest);
    expect(written.pictures).toHaveLength(7);
    expect(written.versions).toMatchObject({ torch: expect.any(String), libjpeg: expect.any(String) });
    expect(written).toMatchObject({ handoff: "tensor", threads: 2, weights: { name: "untrained:0" } });
  });

  test("of a network of one's own are a plain loop's too: folders by its own labels, its own preprocessing", async () => {
    const [checkpoint, labels] = [join(scratch, "mine.ckpt"), join(scratch, "names.txt")];
    copyFileSync(lightning(), checkpoint);
    const names = ["猫", "dog", "hen", "ox", "pig", "rat", "cow", "ant", "bee", "fly"];
    writeFileSync(labels, names.join("\n"));
    const spec: Transforms = {
      resize: 80,
      crop: [64, 72],
      interpolation: "bilinear",
      mean: [0, 0, 0],
      std: [1, 1, 1],
    };
    const tree = treeOf(
      Object.fromEntries(pictures.map(({ name, bytes }, at) => [`${names[at]}/${name}`, bytes] as const)),
    );
    const result = await evaluate(tree, {
      classifier: { weights: checkpoint, labels, transforms: spec, threads: 2, python: PYTHON },
    });
    const words = ["--model", "squeezenet1_1", "--classes", "10", "--spec", JSON.stringify(spec)];
    const file = ["--checkpoint", checkpoint, "--checkpoint-key", "state_dict", "--prefix", "model."];
    const args = [REFERENCE, tree, ...file, ...words, "--labels", labels, "--threads", "2"];
    const theirs = JSON.parse(execFileSync(PYTHON, args, { encoding: "utf8" })) as object;
    expect(result).toMatchObject({ ...theirs, naming: "label", evaluated: 6 });
  });

  test("are the same when the run was stopped in the middle, and no picture is answered twice", async () => {
    // Of a stub, whose answer is class 7 alone: what is resumed is Node's affair.
    // Far more than are open at a time: some are still to come when the second is answered.
    const files = Array.from({ length: 8 }, (_, round) =>
      pictures.map(({ name, bytes }, at) => [`${7 + (at % 2)}/${round}-${name}`, bytes] as const),
    ).flat();
    const tree = treeOf({ ...Object.fromEntries(files), "7/cut.jpg": "no picture" });
    const resume = join(scratch, "run.jsonl");
    const stop = new AbortController();
    const stopped = evaluate(tree, {
      classifier: STANDIN,
      resume,
      signal: stop.signal,
      onProgress: ({ evaluated }) => evaluated === 2 && stop.abort(),
    });
    expect((await failure(stopped)).code).toBe("ABORTED");
    const before = readFileSync(resume, "utf8").trim().split("\n").length - 1;
    appendFileSync(resume, '{"name":"7/cu');

    const result = await evaluate(tree, { classifier: STANDIN, resume });
    expect(result).toMatchObject({ pictures: 49, resumed: before, correct1: 24, correct5: 24, failed: 1 });
    expect(before).toBeGreaterThanOrEqual(2);
    const names = readFileSync(resume, "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => (JSON.parse(line) as { name: string }).name);
    expect(names).toHaveLength(49);
    expect(new Set(names)).toEqual(new Set(result.samples.map(({ name }) => name)));
  });

  /** Six pictures that look different, of several formats. */
  async function render(): Promise<{ name: string; bytes: Uint8Array }[]> {
    const size = { width: 300, height: 260 };
    const raw = (shape: (x: number, y: number) => readonly [number, number, number]): Buffer =>
      Buffer.from(
        Array.from({ length: size.height }, (_, y) =>
          Array.from({ length: size.width }, (__, x) => shape(x, y)),
        ).flat(2),
      );
    const of = (pixels: Buffer): Sharp => sharp(pixels, { raw: { ...size, channels: 3 } });
    const waves = raw(
      (x, y) =>
        [128 + 127 * Math.sin(x / 9), 128 + 127 * Math.sin(y / 5), (x + y) % 256].map(Math.round) as [
          number,
          number,
          number,
        ],
    );
    const checks = raw((x, y) => (((x >> 5) + (y >> 5)) % 2 === 0 ? [240, 30, 20] : [10, 40, 200]));
    const disc = raw((x, y) => (Math.hypot(x - 150, y - 130) < 90 ? [250, 220, 60] : [30, 90, 40]));
    const ramp = raw((x, y) => [x % 256, y % 256, 90]);
    const rings = raw((x, y) => (Math.hypot(x - 90, y - 60) % 24 < 12 ? [200, 200, 210] : [60, 20, 80]));
    const grey = raw((x, y) => [(x * y) % 256, (x * y) % 256, (x * y) % 256]);
    return [
      { name: "waves.jpg", bytes: await of(waves).jpeg().toBuffer() },
      { name: "checks.png", bytes: await of(checks).png().toBuffer() },
      { name: "disc.webp", bytes: await of(disc).webp({ lossless: true }).toBuffer() },
      {
        name: "ramp.ppm",
        bytes: Buffer.concat([Buffer.from(`P6 ${size.width} ${size.height} 255\n`), ramp]),
      },
      { name: "rings.JPEG", bytes: await of(rings).jpeg({ progressive: true }).toBuffer() },
      { name: "grey.png", bytes: await of(grey).greyscale().png().toBuffer() },
    ];
  }
});
