import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { run } from "../../../src/cli/commands/manifest.ts";
import { IsotorchError } from "../../../src/base/errors.ts";
import { diffManifests } from "../../../src/parity/golden/manifest-diff.ts";
import {
  createManifest,
  hashPictures,
  readManifest,
  writeManifest,
} from "../../../src/parity/golden/manifest.ts";
import type { Manifest } from "../../../src/parity/golden/manifest.ts";
import type { WorkerInfo } from "../../../src/classification/info.ts";

const INFO: WorkerInfo = {
  package: "0.1.0",
  protocol: 1,
  pid: 4711,
  python: "3.11.2",
  executable: "/somewhere/python3",
  environment: "system",
  environmentReason: "found by PATH",
  versions: { python: "3.11.2", torch: "1.13.0", libjpeg: "2.1.5", onednn: "2.7.0", pyzmq: "24.0.1" },
  device: "cpu",
  deviceName: "cpu",
  deviceReason: "asked for",
  threads: 2,
  threadsReason: "asked for",
  precision: "exact",
  model: "resnet101",
  weights: {
    name: "untrained:0",
    path: "/somewhere/resnet101-untrained-0.pth",
    sha256: "a".repeat(64),
    trained: false,
    transforms: "IMAGENET1K_V1",
    remarks: [],
    integrity: "first use",
  },
  spec: {
    resize: 256,
    crop: 224,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    interpolation: "bilinear",
  },
  handoff: "tensor",
  maxBatch: 1,
  embedding: 2_048,
  timeoutMs: 30_000,
  classes: 1000,
  warmupMs: 100,
  blas: { library: "reference BLAS", gflops: 1 },
  attestation: { source: "worker", node: ["jpeg-444"], worker: ["jpeg-420"], resize: {}, digests: {} },
  workers: [],
};
const DOG = { name: "dog.jpg", sha256: "d".repeat(64) };
const CAT = { name: "cat.jpg", sha256: "c".repeat(64) };

let scratch: string;
let manifest: Manifest;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "manifest-test-"));
  manifest = createManifest(INFO, { handoff: "tensor", pictures: [DOG, CAT] });
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(IsotorchError);
  return (error as IsotorchError).code;
}

function fileOf(name: string, text: string): string {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
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
  test.each([
    ["a file that is not there", () => join(scratch, "none.json"), "INPUT_NOT_FOUND"],
    ["text", () => fileOf("text.json", "not JSON"), "INVALID_INPUT"],
    ["other JSON", () => fileOf("other.json", "[1]"), "INVALID_INPUT"],
    [
      "a later format",
      () => fileOf("later.json", '{"manifest":2,"weights":{},"pictures":[]}'),
      "INVALID_INPUT",
    ],
    [
      "pictures without hashes",
      () => fileOf("bad.json", '{"manifest":1,"weights":{},"pictures":[{}]}'),
      "INVALID_INPUT",
    ],
  ])("to read %s", async (_, make, code) => {
    expect(await codeOf(readManifest(make()))).toBe(code);
  });

  test("to write into a folder that is not there", async () => {
    expect(await codeOf(writeManifest(join(scratch, "none", "m.json"), manifest))).toBe("INVALID_OPTION");
  });

  test("to hash a picture that is not there", async () => {
    const gone = { name: "gone.jpg", path: join(scratch, "gone.jpg") };
    expect(await codeOf(hashPictures([gone]))).toBe("INPUT_UNREADABLE");
  });

  test.each([[[]], [["diff", "a.json"]], [["show", "a.json", "b.json"]], [["diff", "a", "b", "c"]]])(
    "the command line %j",
    async (argv) => expect(await codeOf(run(argv))).toBe("INVALID_OPTION"),
  );
});

describe("a manifest", () => {
  test("has every version, down to libjpeg and libvips, and no path of this machine", () => {
    expect(manifest.versions).toMatchObject({ torch: "1.13.0", libjpeg: "2.1.5", onednn: "2.7.0" });
    expect(manifest.decoder["vips"]).toMatch(/^\d+\.\d+/);
    expect(Object.keys(manifest.decoder).join()).toMatch(/mozjpeg|jpeg/);
    expect(manifest.node).toBe(process.versions.node);
    expect(manifest.cpu).not.toBe("");
    expect(JSON.stringify(manifest)).not.toContain("/somewhere");
  });

  test("says which network it was, of how many classes, with which head and how surely", () => {
    expect(manifest).toMatchObject({
      model: "resnet101",
      classes: 1000,
      head: { name: "fc", type: "Linear", features: 2048 },
      weights: { integrity: "first use", remarks: [] },
    });
  });

  test("reads back as it was written", async () => {
    const file = join(scratch, "round.json");
    await writeManifest(file, manifest);
    expect(await readManifest(file)).toEqual(manifest);
  });

  test("hashes what the files hold", async () => {
    const path = fileOf("picture.bin", "picture");
    const sha256 = createHash("sha256").update("picture").digest("hex");
    expect(await hashPictures([{ name: "p", path }])).toEqual([{ name: "p", sha256 }]);
  });
});

describe("the difference of two runs", () => {
  const changes: [string, (from: Manifest) => Manifest, string, string][] = [
    [
      "another checkpoint",
      (m) => ({ ...m, weights: { ...m.weights, sha256: "b".repeat(64) } }),
      "decides",
      "weights.sha256",
    ],
    ["another count of threads", (m) => ({ ...m, threads: 1 }), "decides", "threads"],
    ["another resize", (m) => ({ ...m, spec: { ...m.spec, resize: 232 } }), "decides", "spec.resize"],
    ["another mean", (m) => ({ ...m, spec: { ...m.spec, mean: [0, 0, 0] } }), "decides", "spec.mean"],
    [
      "another picture",
      (m) => ({ ...m, pictures: [DOG, { ...CAT, sha256: DOG.sha256 }] }),
      "decides",
      "pictures.cat.jpg",
    ],
    ["a missing picture", (m) => ({ ...m, pictures: [DOG] }), "decides", "pictures.cat.jpg"],
    [
      "another torch",
      (m) => ({ ...m, versions: { ...m.versions, torch: "2.1.0" } }),
      "may",
      "versions.torch",
    ],
    ["another libvips", (m) => ({ ...m, decoder: { ...m.decoder, vips: "0.0.1" } }), "may", "decoder.vips"],
    ["another CPU", (m) => ({ ...m, cpu: "another" }), "may", "cpu"],
    ["another network", (m) => ({ ...m, model: "resnet50" }), "decides", "model"],
    ["another count of classes", (m) => ({ ...m, classes: 10 }), "decides", "classes"],
    [
      "another head",
      (m) => ({ ...m, head: { name: "fc", type: "Linear", features: 512 } }),
      "decides",
      "head.features",
    ],
    [
      "a filter",
      (m) => ({ ...m, spec: { ...m.spec, interpolation: "bicubic" } }),
      "decides",
      "spec.interpolation",
    ],
    [
      "another of the file's state dicts",
      (m) => ({ ...m, weights: { ...m.weights, checkpointKey: "model_ema" } }),
      "decides",
      "weights.checkpointKey",
    ],
    [
      "a prefix of the names",
      (m) => ({ ...m, weights: { ...m.weights, prefix: "module." } }),
      "none",
      "weights.prefix",
    ],
    [
      "a file whose hash was given",
      (m) => ({ ...m, weights: { ...m.weights, integrity: "pinned" } }),
      "none",
      "weights.integrity",
    ],
    ["another handoff", (m) => ({ ...m, handoff: "encoded" }), "none", "handoff"],
    ["another pyzmq", (m) => ({ ...m, versions: { ...m.versions, pyzmq: "1" } }), "none", "versions.pyzmq"],
    ["another order", (m) => ({ ...m, pictures: [CAT, DOG] }), "none", "pictures.order"],
  ];

  test.each(changes)("%s is named with what it means for the bits", (_, change, bits, path) => {
    const found = diffManifests(manifest, change(manifest));
    expect(found.map((difference) => [difference.bits, difference.path])).toEqual([[bits, path]]);
  });

  test("two machines that differ in their BLAS alone are told apart", () => {
    const on = (blas: string, more: Record<string, string> = {}): Manifest => ({
      ...manifest,
      versions: { ...manifest.versions, blas, ...more },
    });
    const reference = "reference BLAS: blas/libblas.so.3.11.0";
    const openblas = "OpenBLAS: openblas-pthread/libblas.so.3";
    expect(diffManifests(on(reference), on(openblas))).toEqual([
      { bits: "may", path: "versions.blas", a: reference, b: openblas },
    ]);
    expect(diffManifests(on(openblas), on(openblas, { "env.OPENBLAS_CORETYPE": "Haswell" }))).toMatchObject([
      { bits: "may", path: "versions.env.OPENBLAS_CORETYPE", a: undefined, b: "Haswell" },
    ]);
  });

  test("what one side lacks is told", () => {
    const { onednn: _, ...versions } = manifest.versions;
    const found = diffManifests({ ...manifest, versions }, manifest);
    expect(found).toEqual([{ bits: "may", path: "versions.onednn", a: undefined, b: "2.7.0" }]);
  });

  test("on the command line: 0 and 1, the strongest first", async () => {
    const [a, b] = [join(scratch, "a.json"), join(scratch, "b.json")];
    await writeManifest(a, manifest);
    await writeManifest(b, { ...manifest, node: "1.0.0", cpu: "another", threads: 1 });
    expect(await printed(["diff", a, a])).toEqual({ code: 0, text: "The same.\n" });
    const { code, text } = await printed(["diff", a, b]);
    expect(code).toBe(1);
    expect(text).toMatch(
      /decides the bits\n {2}threads\n {4}a {2}2\n {4}b {2}1\nmay change[^]*cpu[^]*does not[^]*node/,
    );
    const json = await printed(["diff", a, b, "--json"]);
    expect(JSON.parse(json.text)).toMatchObject({
      same: false,
      differences: [{ path: "threads", a: "2", b: "1" }, {}, {}],
    });
  });
});
