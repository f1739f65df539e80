import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { run } from "../../src/cli/commands/parity/parity.ts";
import { CACHE_DIR, lightning } from "../checkpoint.ts";
import { PYTHON } from "../python.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/images/", import.meta.url));
const NETWORK = [
  "--model",
  "squeezenet1_1",
  "--weights",
  "untrained:0",
  "--cache-dir",
  CACHE_DIR,
  "--threads",
  "2",
  "--device",
  "cpu",
];

let scratch: string;
let live: Printed;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "parity-command-test-"));
  const pictures = ["dog.webp", "fruit.png"].map((name) => join(EXAMPLES, name));
  const reports = ["json", "md", "html", "xml"].flatMap((ending) => [
    "--report",
    join(scratch, `r.${ending}`),
  ]);
  const golden = ["--save", join(scratch, "golden")];
  // Plain PyTorch has no such file: it gets the labels that are in it.
  const labels = join(scratch, "labels.txt");
  const names = Array.from({ length: 1000 }, (_, at) => `${at}: '${at}号金鱼'`);
  writeFileSync(labels, `{${names.join(",\n ")}}`);
  live = await printed([
    ...pictures,
    ...NETWORK,
    "--python",
    PYTHON,
    "--handoff",
    "all",
    "--labels",
    labels,
    ...reports,
    ...golden,
  ]);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Printed {
  readonly code: number;
  readonly text: string;
}

async function printed(argv: readonly string[]): Promise<Printed> {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => lines.push(String(text)) > 0);
  try {
    return { code: await run(argv), text: lines.join("") };
  } finally {
    write.mockRestore();
  }
}

describe("the command line is refused when", () => {
  test.each([
    ["no picture is given", []],
    ["the handoff is unknown", ["a.jpg", "--handoff", "pickle"]],
    ["a tolerance is no number", ["a.jpg", "--rtol", "little"]],
    ["a tolerance is negative", ["a.jpg", "--atol=-1"]],
    ["a report has an unknown ending", ["a.jpg", "--report", "r.pdf"]],
    ["it both saves and loads", ["--load", "a", "--save", "b"]],
    ["it loads and names pictures", ["a.jpg", "--load", "b"]],
    ["it loads and names another side", ["--load", "b", "--against", "cpu"]],
    ["it asks for the network without loading", ["a.jpg", "--network"]],
  ])("%s", async (_, argv) => {
    await expect(run(argv)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});

describe("a run against plain PyTorch", () => {
  test("finds no differing bit, by any handoff, with labels as people have them", () => {
    expect(live.text).toContain("2 pictures in 6 comparisons: 6 equal; against plain PyTorch (plain)");
    expect(live.text.match(/ {2}equal$/gm)).toHaveLength(6);
    expect(live.code).toBe(0);
  });

  test("writes four reports with the same verdict", () => {
    const { summary, pictures } = JSON.parse(readFileSync(join(scratch, "r.json"), "utf8"));
    expect(summary).toMatchObject({ passed: true, pictures: 2, comparisons: 6 });
    expect(summary.stages.normalized).toMatchObject({ compared: 6, values: 6 * 150_528, differingValues: 0 });
    expect(pictures[0].top.ours).toEqual(pictures[0].top.reference);
    expect(readFileSync(join(scratch, "r.md"), "utf8")).toContain("# Parity: passed");
    expect(readFileSync(join(scratch, "r.html"), "utf8")).toContain("Parity passed");
    expect(readFileSync(join(scratch, "r.xml"), "utf8")).toContain('tests="6" failures="0"');
  });
});

test("a file of one's own, of ten classes and with preprocessing of its own, has no differing bit at any stage", async () => {
  const [checkpoint, transforms] = [join(scratch, "mine.ckpt"), join(scratch, "spec.json")];
  copyFileSync(lightning(), checkpoint);
  const spec = { resize: [180, 260], crop: [160, 224], interpolation: "bicubic", mean: [0.5, 0.5, 0.5] };
  writeFileSync(transforms, JSON.stringify(spec));
  const [report, manifest] = [join(scratch, "own.md"), join(scratch, "own-manifest.json")];
  const flags = ["--weights", checkpoint, "--transforms", transforms, "--device", "cpu", "--threads", "2"];
  const { code, text } = await printed([
    join(EXAMPLES, "dog.webp"),
    ...flags,
    "--python",
    PYTHON,
    "--report",
    report,
    "--manifest",
    manifest,
    "--json",
  ]);
  const [picture, last] = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect([picture.verdict, code]).toEqual(["equal", 0]);
  const counts = Object.entries(last.summary.stages as Record<string, Record<string, number>>);
  expect(counts.map(([, { compared, differingValues }]) => [compared, differingValues])).toEqual(
    Array.from({ length: 10 }, () => [1, 0]),
  );
  expect(last.summary.stages).toMatchObject({ embedding: { values: 512 }, logits: { values: 10 } });
  expect(last.weights).toMatchObject({ model: "squeezenet1_1", classes: 10, checkpointKey: "state_dict" });
  // torch 1.13's own reader knows no numbers beside the tensors; later ones do.
  expect(last.reference.loadedBy).toMatch(/^(?:isotorch's reader|torch\.load\(weights_only=True\))/);
  expect(picture.top.ours[0].label).toMatch(/^class \d$/);
  expect(readFileSync(report, "utf8")).toContain("own: resize \\[180,260\\], crop \\[160,224\\], bicubic");
  expect(JSON.parse(readFileSync(manifest, "utf8"))).toMatchObject({
    model: "squeezenet1_1",
    classes: 10,
    head: { name: "classifier.1", type: "Conv2d", features: 512 },
    weights: { integrity: "unpinned", checkpointKey: "state_dict", prefix: "model.", transforms: null },
    spec,
  });
});

test("with one thread by the environment it is one on both sides, and the bits are equal", async () => {
  vi.stubEnv("OMP_NUM_THREADS", "1");
  const network = [
    "--model",
    "squeezenet1_1",
    "--weights",
    "untrained:0",
    "--cache-dir",
    CACHE_DIR,
    "--device",
    "cpu",
    "--python",
    PYTHON,
  ];
  const { code, text } = await printed([join(EXAMPLES, "dog.webp"), ...network, "--json"]);
  vi.unstubAllEnvs();
  const [picture, last] = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect([picture.verdict, code]).toEqual(["equal", 0]);
  expect([last.ours.threads, last.reference.threads]).toEqual([1, 1]);
});

describe("what was saved", () => {
  test("is replayed without Python: no interpreter could even be found", async () => {
    vi.stubEnv("ISOTORCH_PYTHON", "/nowhere/python3");
    vi.stubEnv("PATH", "/nowhere");
    const { code, text } = await printed(["--load", join(scratch, "golden")]);
    vi.unstubAllEnvs();
    expect(code).toBe(0);
    expect(text).toContain("not compared in any picture: embedding, logits, percentages, order, labels");
    expect(text).toContain("2 pictures: 2 equal; against golden files of plain PyTorch");
  });

  test("is replayed with the network on request, as one object per line", async () => {
    const network = [...NETWORK, "--python", PYTHON, "--labels", join(scratch, "labels.txt")];
    const argv = ["--load", join(scratch, "golden"), "--network", "--json", ...network];
    const { code, text } = await printed(argv);
    const lines = text.trim().split("\n");
    const [first, second, last] = lines.map((line) => JSON.parse(line));
    expect(lines).toHaveLength(3);
    expect([first.verdict, second.verdict, code]).toEqual(["equal", "equal", 0]);
    expect(last.summary.stages.logits).toMatchObject({ compared: 2, differingValues: 0 });
  });

  test("fails with exit code 1 once it was tampered with", async () => {
    const golden = join(scratch, "golden");
    const file = readdirSync(golden).find((name) => name.endsWith(".toTensor.npy"))!;
    const data = readFileSync(join(golden, file));
    data[data.length - 1]! ^= 1;
    writeFileSync(join(golden, file), data);
    const { code, text } = await printed(["--load", golden]);
    expect(code).toBe(1);
    expect(text).toContain(`tampered: ${file}`);
    expect(text).toContain("1 equal, 1 tampered");
  });
});
