import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { suggest } from "../../src/base/options/suggest.ts";
import { resolveCheckpoint } from "../../src/checkpoints/resolve.ts";
import type { ProgressEvent } from "../../src/base/progress.ts";

const V1 = "resnet101-63fe2227.pth";
const V1_SHA256 = "63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a";

const sha256Of = (bytes: string): string => createHash("sha256").update(bytes).digest("hex");

let root: string;
let cacheDir: string;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "isotorch checkpoint-")));
  cacheDir = join(root, "cache");
  await mkdir(cacheDir);
  vi.stubEnv("HOME", root);
  for (const name of ["TORCH_HOME", "XDG_CACHE_HOME", "ISOTORCH_OFFLINE"]) vi.stubEnv(name, undefined);
  // Nothing of these tests may leave the machine.
  vi.stubEnv("ISOTORCH_WEIGHTS_URL", "http://127.0.0.1:1/models/");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true, force: true });
});

describe("weights that mean nothing are refused", () => {
  test.each([
    ["IMAGENET1K_V3", "Did you mean IMAGENET1K_V1?"],
    ["imagenet1k_v2", "Did you mean IMAGENET1K_V2?"],
    ["DEFAULT", "Say IMAGENET1K_V2 for the newest."],
    ["pretrained", "Known are IMAGENET1K_V1, IMAGENET1K_V2, untrained:SEED"],
    ["constructor", "Known are IMAGENET1K_V1"],
    ["IMAGENET1K_SWAG_E2E_V1", "Known are IMAGENET1K_V1, IMAGENET1K_V2, untrained:SEED"],
    ["untrained", "as in untrained:0"],
    ["untrained:-1", "as in untrained:0"],
    ["untrained:4294967296", "as in untrained:0"],
    ["https://example.org/net.pth", "curl -LO https://example.org/net.pth"],
  ])("%s", async (weights, hint) => {
    await expect(resolveCheckpoint(weights, { cacheDir })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      hint: expect.stringContaining(hint),
    });
  });

  test("and so are those of another model, and a model that is none", async () => {
    const swag = { model: "vit_b_16", cacheDir };
    await expect(resolveCheckpoint("IMAGENET1K_V2", swag)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: '`weights` is "IMAGENET1K_V2", which vit_b_16 does not have.',
      hint: expect.stringContaining("IMAGENET1K_SWAG_LINEAR_V1"),
    });
    await expect(resolveCheckpoint("untrained:0", { model: "resnet100", cacheDir })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      hint: expect.stringContaining('Did you mean "resnet101"?'),
    });
  });

  test("and so is the preprocessing of weights that the model does not have", async () => {
    const options = { model: "resnet18", cacheDir, transforms: "IMAGENET1K_V2" } as const;
    await expect(resolveCheckpoint("untrained:0", options)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: '`transforms` is "IMAGENET1K_V2", which resnet18 does not have.',
      hint: "Did you mean IMAGENET1K_V1? Known are IMAGENET1K_V1",
    });
  });

  test("and so is a hash that is none, or that belongs to other weights", async () => {
    const invalid = { code: "INVALID_OPTION" };
    await expect(resolveCheckpoint("IMAGENET1K_V1", { cacheDir, sha256: "63fe2227" })).rejects.toMatchObject(
      invalid,
    );
    const other = "0".repeat(64);
    await expect(resolveCheckpoint("IMAGENET1K_V1", { cacheDir, sha256: other })).rejects.toMatchObject(
      invalid,
    );
  });
});

describe("a file of one's own", () => {
  test("that is missing, or a directory, is WEIGHTS_NOT_FOUND with its path", async () => {
    const missing = join(root, "mine.pth");
    await expect(resolveCheckpoint(missing, { trustCheckpoint: true })).rejects.toMatchObject({
      code: "WEIGHTS_NOT_FOUND",
      message: `The checkpoint ${missing} does not exist.`,
    });
    await expect(resolveCheckpoint(`${cacheDir}/`, { trustCheckpoint: true })).rejects.toMatchObject({
      code: "WEIGHTS_NOT_FOUND",
      message: expect.stringContaining("is not a regular file"),
    });
  });

  test("needs no hash and nobody's word: nothing of it is run", async () => {
    const file = join(root, "it's mine.pth");
    await writeFile(file, "bytes");
    expect(await resolveCheckpoint(file)).toEqual({
      model: null,
      weights: file,
      path: file,
      sha256: null,
      integrity: "unpinned",
      seed: null,
      transforms: null,
      trained: null,
      licence: null,
    });
    // An option of before says nothing any more.
    expect(await resolveCheckpoint(file, { trustCheckpoint: false })).toMatchObject({ path: file });
  });

  test("is pinned by its hash", async () => {
    const file = join(root, "mine.pth");
    await writeFile(file, "bytes");
    const sha256 = sha256Of("bytes");
    expect(
      await resolveCheckpoint(file, { sha256: sha256.toUpperCase(), transforms: "IMAGENET1K_V2" }),
    ).toMatchObject({
      sha256,
      integrity: "pinned",
      transforms: "IMAGENET1K_V2",
      trained: null,
    });
  });

  test.each(["best.ckpt", "model.safetensors", "pytorch_model.bin", "mine.PT", "mine.pth"])(
    "is known by how it ends: %s",
    async (weights) => {
      await expect(resolveCheckpoint(weights, { cacheDir })).rejects.toMatchObject({
        code: "WEIGHTS_NOT_FOUND",
        message: `The checkpoint ${join(process.cwd(), weights)} does not exist.`,
      });
    },
  );

  test("leaves its preprocessing to the worker, which sees whose file it is", async () => {
    const file = join(root, "mine.pth");
    await writeFile(file, "bytes");
    const found = await resolveCheckpoint(file, {});
    expect([found.model, found.transforms]).toEqual([null, null]);
    const told = await resolveCheckpoint(file, { model: "vit_h_14", transforms: "IMAGENET1K_SWAG_E2E_V1" });
    expect([told.model, told.transforms]).toEqual(["vit_h_14", "IMAGENET1K_SWAG_E2E_V1"]);
  });
});

describe("weights by name", () => {
  test("that are not there while offline name the file, its URL and the untrained way", async () => {
    const error = await resolveCheckpoint("IMAGENET1K_V1", { cacheDir, offline: true }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({
      code: "WEIGHTS_NOT_FOUND",
      hint: expect.stringContaining("--weights untrained:0"),
    });
    expect(error).toMatchObject({ hint: expect.stringContaining(join(cacheDir, V1)) });
    vi.stubEnv("ISOTORCH_OFFLINE", "1");
    await expect(resolveCheckpoint("IMAGENET1K_V2", { cacheDir })).rejects.toMatchObject({
      code: "WEIGHTS_NOT_FOUND",
    });
  });

  test("that cannot be reached are DOWNLOAD_FAILED, never random weights", async () => {
    await expect(resolveCheckpoint("IMAGENET1K_V1", { cacheDir })).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      message: expect.stringContaining(`http://127.0.0.1:1/models/${V1}`),
      hint: expect.stringContaining(`Put the file by hand at ${join(cacheDir, V1)}`),
    });
    expect(await readdir(cacheDir)).toEqual([]);
  });

  test.each(["IMAGENET1K_V1", "IMAGENET1K_V2"])(
    "from a mirror with another %s are CHECKPOINT_CORRUPT",
    async (name) => {
      const http = createServer((_request, response) => response.end("another file"));
      await new Promise<void>((resolve) => void http.listen(0, "127.0.0.1", resolve));
      const address = http.address();
      vi.stubEnv(
        "ISOTORCH_WEIGHTS_URL",
        `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
      );
      const events: ProgressEvent[] = [];
      const onProgress = (event: ProgressEvent): void => void events.push(event);
      await expect(resolveCheckpoint(name, { cacheDir, onProgress })).rejects.toMatchObject({
        code: "CHECKPOINT_CORRUPT",
      });
      expect(events[0]).toMatchObject({ status: "initiate", name });
      expect(await readdir(cacheDir)).toEqual([]);
      http.close();
    },
  );

  test("that torchvision downloaded before are used as they are, for the worker to check", async () => {
    const torchvisions = join(root, ".cache/torch/hub/checkpoints");
    await mkdir(torchvisions, { recursive: true });
    await writeFile(join(torchvisions, V1), "not looked into here");
    expect(await resolveCheckpoint("IMAGENET1K_V1", { offline: true })).toEqual({
      model: "resnet101",
      weights: "IMAGENET1K_V1",
      path: join(torchvisions, V1),
      sha256: V1_SHA256,
      integrity: "pinned",
      seed: null,
      transforms: "IMAGENET1K_V1",
      trained: true,
      licence: null,
    });
    vi.stubEnv("TORCH_HOME", join(root, "torch"));
    await expect(resolveCheckpoint("IMAGENET1K_V1", { offline: true })).rejects.toMatchObject({
      hint: expect.stringContaining(join(root, "torch/hub/checkpoints", V1)),
    });
  });

  test("of the Hugging Face hub come from the mirror of it that HF_ENDPOINT names", async () => {
    const asked: (string | undefined)[] = [];
    const http = createServer((request, response) => {
      asked.push(request.url);
      response.end("another file");
    });
    await new Promise<void>((resolve) => void http.listen(0, "127.0.0.1", resolve));
    const address = http.address();
    const port = typeof address === "object" ? address?.port : 0;
    vi.stubEnv("HF_ENDPOINT", `http://127.0.0.1:${port}/hub/`);
    const mirror = "https://huggingface.co/me/resnet/resolve/main";
    await expect(resolveCheckpoint("IMAGENET1K_V1", { cacheDir, mirror })).rejects.toMatchObject({
      code: "CHECKPOINT_CORRUPT",
    });
    expect(asked).toEqual([`/hub/me/resnet/resolve/main/${V1}`]);
    http.close();

    vi.stubEnv("HF_ENDPOINT", "hf-mirror");
    await expect(resolveCheckpoint("IMAGENET1K_V1", { cacheDir, mirror })).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining("HF_ENDPOINT"),
    });
    // No business of another server's.
    await expect(resolveCheckpoint("IMAGENET1K_V1", { cacheDir })).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
      hint: expect.stringContaining("ISOTORCH_WEIGHTS_URL"),
    });
  });

  test("cannot come from a mirror that is no URL", async () => {
    vi.stubEnv("ISOTORCH_WEIGHTS_URL", "/mnt/models");
    await expect(resolveCheckpoint("IMAGENET1K_V1", { cacheDir })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
  });
});

test.each([
  ["resnet101", "resnet101-untrained-7.pth", "IMAGENET1K_V1"],
  ["vit_b_16", "vit_b_16-untrained-7.pth", "IMAGENET1K_V1"],
  ["regnet_y_128gf", "regnet_y_128gf-untrained-7.pth", "IMAGENET1K_SWAG_LINEAR_V1"],
])(
  "untrained:SEED of %s names a file that the worker makes, and says that it is untrained",
  async (model, file, transforms) => {
    expect(await resolveCheckpoint("untrained:7", { model, cacheDir, offline: true })).toEqual({
      model,
      weights: "untrained:7",
      path: join(cacheDir, file),
      sha256: null,
      integrity: "first use",
      seed: 7,
      transforms,
      trained: false,
      licence: null,
    });
  },
);

test("the nearest name bears case and a typing slip, and is none where nothing is near", () => {
  expect(suggest("topk", ["topK", "signal"])).toBe("topK");
  expect(suggest("wieghts", ["weights", "workers"])).toBe("weights");
  expect(suggest("zzz", ["topK", "signal"])).toBeUndefined();
  expect(suggest("x", ["a", "b"])).toBeUndefined();
});
