import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run as preprocess } from "../../src/cli/commands/preprocess.ts";
import { CACHE_DIR, MODEL, checkpointOf } from "../checkpoint.ts";
import { PYTHON } from "../python.ts";
import { STANDIN } from "../standin.ts";
import { encoded } from "../texts.ts";
import { isotorch as called, printed } from "./printed.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const PLAIN = fileURLToPath(new URL("../../python/plain.py", import.meta.url));
const EXAMPLES = fileURLToPath(new URL("../../examples/images/", import.meta.url));
const IMAGE = join(EXAMPLES, readdirSync(EXAMPLES).toSorted()[0] ?? "");
/** Where the network itself is not what is looked at. */
const STUB = [
  "--weights",
  "untrained:0",
  "--cache-dir",
  CACHE_DIR,
  "--device",
  "cpu",
  "--python",
  String(STANDIN.python),
];
/** The text's own network, which nobody has to name; however busy the machine is. */
const NETWORK = "--weights untrained:0 --threads 2 --timeout 0"
  .split(" ")
  .concat("--cache-dir", CACHE_DIR, "--python", PYTHON);

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "commands-test-"));
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

interface Answer {
  top: { index: number }[];
}

interface Run {
  status: number | null;
  stdout: string;
  stderr: string;
}

function isotorch(args: readonly string[], over: { input?: Buffer; env?: Record<string, string> } = {}): Run {
  const env = { ...process.env, ISOTORCH_CONFIG_DIR: join(scratch, "config"), ...over.env };
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8", input: over.input ?? "", env });
}

function python(code: string, ...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(PYTHON, ["-c", code, ...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim();
}

describe("usage", () => {
  test("an unknown command or flag is exit code 2, naming the nearest known one", async () => {
    expect(isotorch(["clasify"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("isotorch classify"),
    });
    const flag = await called(["classify", IMAGE, "--handof", "pixels"]);
    expect(flag).toMatchObject({ code: 2, stderr: expect.stringContaining("--handoff") });
    for (const words of [
      ["classify", IMAGE, "--handoff", "pickle"],
      ["classify"],
      ["preprocess", IMAGE],
      ["models", "delete"],
    ])
      expect((await called(words)).code, words.join(" ")).toBe(2);
  });

  test("each command teaches itself", async () => {
    const overview = isotorch(["--help"]);
    expect(overview.status).toBe(0);
    for (const command of ["setup", "doctor", "classify", "preprocess", "models"]) {
      expect(overview.stdout).toContain(command);
      const help = await called([command, "--help"]);
      expect(help.code, help.stderr).toBe(0);
      expect(help.stdout).toContain(`isotorch ${command}`);
    }
  });
});

describe("classify", () => {
  const missing = (): string => join(scratch, "missing.jpg");
  let run: Run;
  let lines: Record<string, unknown>[];
  beforeAll(() => {
    run = isotorch(["classify", IMAGE, missing(), "-", "--json", "--include", "logits", ...NETWORK], {
      input: readFileSync(IMAGE),
    });
    lines = run.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  });

  test("prints one JSON object per input, in order, and exits with 1 when one failed", () => {
    expect(run.status).toBe(1);
    const [first, second, third] = lines;
    expect(first).toMatchObject({ input: IMAGE });
    expect(first?.["top"]).toHaveLength(5);
    expect(second).toMatchObject({ input: missing(), error: { code: "INPUT_NOT_FOUND" } });
    expect(third).toMatchObject({ input: "-", top: first?.["top"] });
  });

  test("its JSON has the digits of plain PyTorch", () => {
    const ours = lines[0] as { top: { index: number; percent: number }[]; logits: number[] };
    const checkpoint = ["--checkpoint", checkpointOf("resnet101")];
    const { stdout } = spawnSync(PYTHON, [PLAIN, ...checkpoint, "--threads", "2", IMAGE], {
      encoding: "utf8",
    });
    const plain = JSON.parse(stdout) as { top5: { index: number; percent: number }[]; logits_sha256: string };
    const hash = createHash("sha256").update(new Uint8Array(new Float32Array(ours.logits).buffer));
    expect(hash.digest("hex")).toBe(plain.logits_sha256);
    expect(ours.top.map(({ index, percent }) => [index, percent])).toEqual(
      plain.top5.map(({ index, percent }) => [index, percent]),
    );
  });

  test("reads labels as people have them, and says what it took for granted and that the network is untrained", async () => {
    const labels = join(scratch, "labels.txt");
    const names = Array.from({ length: 1000 }, (_, at) => `${at}号金鱼`);
    writeFileSync(labels, encoded(names.join("\r\n"), "gb18030"));
    const answer = JSON.parse((await called(["classify", IMAGE, ...STUB, "--json"])).stdout) as Answer;
    const { stdout, stderr } = await called(["classify", IMAGE, ...STUB, "--labels", labels]);
    const [name, ...rows] = stdout.trimEnd().split("\n");
    expect(name).toBe(IMAGE);
    expect(rows.map((row) => row.trim().split(" ")[0])).toEqual(answer.top.map(({ index }) => names[index]));
    expect(stderr).toMatch(/labels\.txt is not UTF-8 and is read as GBK/);
    expect(stderr).toContain("untrained");
  });

  test("no environment is exit code 3, no device 4", async () => {
    const none = await called([
      "classify",
      IMAGE,
      "--weights",
      "untrained:0",
      "--python",
      "/nowhere/python3",
    ]);
    expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining("ENVIRONMENT_NOT_FOUND") });
    const watching = isotorch(["classify", "--watch", scratch, "--python", "/nowhere/python3"]);
    expect(watching, "and nothing keeps it from ending").toMatchObject({ status: 3 });
    const device = await called(["classify", IMAGE, ...NETWORK, "--device", "cuda", "--json"]);
    expect(device.code).toBe(4);
    expect(JSON.parse(device.stdout)).toMatchObject({ error: { code: "DEVICE_UNAVAILABLE" } });
  });

  test("weights that cannot be reached are exit code 3, with the URL, the place and the offline choice", async () => {
    const { code, stderr } = await called(["classify", IMAGE, "--cache-dir", scratch, "--python", PYTHON], {
      ISOTORCH_WEIGHTS_URL: "http://127.0.0.1:9/models",
    });
    expect(code).toBe(3);
    expect(stderr).toContain("http://127.0.0.1:9/models/resnet101-63fe2227.pth");
    expect(stderr).toContain(join(scratch, "resnet101-63fe2227.pth"));
    expect(stderr).toContain("untrained:0");
  });
});

describe("preprocess", () => {
  const TORCHVISION = `
import json, sys, numpy
from PIL import Image
from torchvision import transforms
for number in range(1, len(sys.argv), 4):
  size, crop, picture, array = sys.argv[number:number + 4]
  steps = transforms.Compose([transforms.Resize(json.loads(size)), transforms.CenterCrop(json.loads(crop)),
    transforms.ToTensor(), transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])])
  expected = steps(Image.open(picture).convert("RGB")).unsqueeze(0).numpy()
  ours = numpy.load(array)
  assert ours.dtype == expected.dtype and ours.shape == expected.shape
  print(size, int((ours.view("u4") != expected.view("u4")).sum()))`;

  test("writes what numpy reads, equal to torchvision's in every bit, also of what only Pillow reads", async () => {
    const bmp = join(scratch, "x.bmp");
    python(
      "import sys; from PIL import Image; Image.open(sys.argv[1]).convert('RGB').save(sys.argv[2])",
      IMAGE,
      bmp,
    );
    const mine = join(scratch, "mine.json");
    writeFileSync(mine, '{ "resize": [90, 300], "crop": [96, 210] }');
    const rows = [
      [IMAGE, "IMAGENET1K_V2", "232", "224"],
      [bmp, "IMAGENET1K_V1", "256", "224"],
      [IMAGE, mine, "[90,300]", "[96,210]"],
      [bmp, mine, "[90,300]", "[96,210]"],
    ] as const;
    const arrays: string[] = [];
    for (const [at, [picture, transforms, size, crop]] of rows.entries()) {
      const out = join(scratch, `${at}.npy`);
      const args = ["--out", out, "--transforms", transforms, "--python", PYTHON, "--json"];
      // In this process, where two of them share a worker.
      const run = await printed(preprocess, [picture, ...args]);
      expect(run.code, run.stderr).toBe(0);
      const shape = transforms === mine ? [1, 3, 96, 210] : [1, 3, 224, 224];
      expect(JSON.parse(run.stdout)).toMatchObject({ shape, dtype: "float32" });
      arrays.push(size, crop, picture, out);
    }
    expect(python(TORCHVISION, ...arrays).split("\n")).toEqual(rows.map(([, , size]) => `${size} 0`));
  });

  test.each([
    ['{ "resize": 256, "corp": 224 }', 'Did you mean "crop"?'],
    ['{ "resize": 256 }', 'Option "transforms" is'],
    ['{ "resize": 256,', "cannot be read"],
  ])("refuses the transforms %s with exit code 2", async (text, sentence) => {
    const file = join(scratch, "odd.json");
    writeFileSync(file, text);
    const run = await called(["preprocess", IMAGE, "--out", join(scratch, "y.npy"), "--transforms", file]);
    expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) });
  });

  test("refuses what is no picture with exit code 1", () => {
    const text = join(scratch, "text.png");
    writeFileSync(text, "hello");
    const run = isotorch([
      "preprocess",
      text,
      "--out",
      join(scratch, "y.npy"),
      "--python",
      String(STANDIN.python),
    ]);
    expect(run).toMatchObject({ status: 1, stderr: expect.stringContaining("UNSUPPORTED_FORMAT") });
  });
});

describe("models", () => {
  test("lists the known checkpoints with their places", async () => {
    const { stdout } = await called(["models", "resnet101", "--json", "--cache-dir", scratch]);
    const lines = stdout.trim().split("\n");
    const known = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(known.map(({ name }) => name)).toEqual(["IMAGENET1K_V1", "IMAGENET1K_V2"]);
    expect(known[0]).toMatchObject({ here: false, path: join(scratch, "resnet101-63fe2227.pth") });
  });

  test("makes a checkpoint, and says where and which", () => {
    const out = join(scratch, "made.pth");
    const network = ["--model", MODEL, "--seed", "1", "--threads", "2", "--python", PYTHON];
    const run = isotorch(["models", "make", ...network, "--out", out, "--json"]);
    expect(run.status, run.stderr).toBe(0);
    const made = JSON.parse(run.stdout) as { path: string; sha256: string };
    expect(made.path).toBe(out);
    expect(made.sha256).toBe(createHash("sha256").update(readFileSync(out)).digest("hex"));
  });
});

describe("doctor", () => {
  test("says which Python was chosen and why, and what is wrong", async () => {
    const run = await called(["doctor", "--json", "--python", PYTHON, "--cache-dir", scratch]);
    expect(run.code, run.stderr).toBe(0);
    const diagnosis = JSON.parse(run.stdout) as Record<string, unknown>;
    expect(diagnosis).toMatchObject({ candidates: [{ verdict: "chosen" }] });
    expect(diagnosis["python"]).toMatchObject({ facts: { torch: expect.stringMatching(/^\d/) } });
    // Which library multiplies matrices is the machine's affair.
    const problems = (diagnosis["problems"] as { rule: string; level: string }[]).filter(
      ({ rule }) => rule !== "reference-blas",
    );
    expect(problems).toMatchObject([{ rule: "checkpoint-missing", level: "warning" }]);
  });

  test("exits with 3 where no Python fits and with 4 where the device is not there", async () => {
    expect((await called(["doctor", "--python", "/bin/false"])).code).toBe(3);
    const device = await called(["doctor", "--device", "cuda", "--python", PYTHON]);
    expect(device.code).toBe(4);
    expect(device.stdout).toContain("CPU build");
  });
});
