import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { chosen, modelsMatching } from "../../src/checkpoints/choose.ts";
import { listModels } from "../../src/checkpoints/list.ts";
import {
  defaultTransforms,
  defaultWeights,
  knownCheckpoint,
  knownCheckpoints,
  knownModel,
  modelNames,
  specOf,
} from "../../src/checkpoints/table.ts";

const everyWeights = modelNames().flatMap((model) =>
  Object.entries(knownCheckpoints(model)).map(([name, known]) => ({ model, name, ...known })),
);

describe("the table", () => {
  test("has all of torchvision's classifiers and their weights", () => {
    expect(modelNames()).toHaveLength(80);
    expect(modelNames()).toEqual(modelNames().toSorted());
    expect(everyWeights).toHaveLength(114);
    expect(new Set(everyWeights.map(({ url }) => url)).size).toBe(114);
  });

  test("has every fact of every weights, in its range", () => {
    for (const { model, name, ...known } of everyWeights) {
      const what = `${model} ${name}`;
      expect(known.url, what).toMatch(/^https:\/\/download\.pytorch\.org\/models\/[\w.-]+\.pth$/);
      expect(basename(known.url, ".pth").endsWith(`-${known.sha256Prefix}`), what).toBe(true);
      expect(known.sha256 ?? known.sha256Prefix, what).toMatch(new RegExp(`^${known.sha256Prefix}`));
      expect(known.maxBytes, what).toBeGreaterThan(known.parameters);
      expect(known.maxBytes, what).toBeLessThan(4 * 2 ** 30);
      expect(known.maxBytes, what).toBeGreaterThanOrEqual(known.bytes ?? 0);
      expect(known.classes, what).toBe(1000);
      expect(known.gflops, what).toBeGreaterThan(0);
      expect(known.acc1, what).toBeGreaterThan(50);
      expect(known.acc5, what).toBeGreaterThan(known.acc1);
      expect(known.spec.resize, what).toBeGreaterThanOrEqual(known.spec.crop);
      expect(known.spec.crop, what).toBeGreaterThanOrEqual(known.minSize[0] ?? Infinity);
    }
  });

  test("has the head of every network", () => {
    for (const { name, head, since } of modelNames().map(knownModel)) {
      expect(["Linear", "Conv2d"], name).toContain(head.type);
      expect(head.name, name).toMatch(/^(fc|head|heads\.head|classifier(\.\d)?)$/);
      expect(head.features, name).toBeGreaterThan(300);
      expect(["0.13", "0.14"], name).toContain(since);
    }
    expect(knownModel("resnet101").head).toEqual({ name: "fc", type: "Linear", features: 2048 });
  });

  test("names the licence of the twelve that have their own", () => {
    const own = everyWeights.filter(({ licence }) => licence !== null);
    expect(own).toHaveLength(12);
    for (const { name, licence } of own) {
      expect(name).toContain("SWAG");
      expect(licence).toEqual({
        name: "CC-BY-NC-4.0",
        url: "https://github.com/facebookresearch/SWAG/blob/main/LICENSE",
      });
    }
  });

  test("says what the package says of it", () => {
    const text = readFileSync(new URL("../../docs/models.md", import.meta.url), "utf8");
    const pinned = everyWeights.filter(({ sha256 }) => sha256 !== null);
    expect(text).toContain(`${pinned.length} of the 114`);
  });
});

describe("what is asked of it", () => {
  test("the preprocessing of known weights is told without a worker", () => {
    const mean = [0.485, 0.456, 0.406];
    const std = [0.229, 0.224, 0.225];
    const v1 = { resize: 256, crop: 224, mean, std, interpolation: "bilinear" };
    expect(specOf("IMAGENET1K_V1")).toEqual(v1);
    expect(specOf("IMAGENET1K_V2")).toEqual({ ...v1, resize: 232 });
    const large = { resize: 480, crop: 480, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
    expect(specOf("IMAGENET1K_V1", "efficientnet_v2_l")).toEqual({ ...large, interpolation: "bicubic" });
  });

  test.each([
    ["resnet11", 'Did you mean "resnet101"?'],
    ["ResNet101", 'Did you mean "resnet101"?'],
    ["constructor", "`npx isotorch models` lists the 80 that are known"],
  ])("a model that is none is refused: %s", (model, hint) => {
    for (const ask of [knownModel, knownCheckpoints, defaultWeights, defaultTransforms])
      expect(() => ask(model)).toThrow(
        expect.objectContaining({ code: "INVALID_OPTION", hint: expect.stringContaining(hint) }),
      );
  });

  test("a model without V1 has no weights of its own accord, and the preprocessing of 224 pixels", () => {
    const without = modelNames().filter((model) => !Object.hasOwn(knownCheckpoints(model), "IMAGENET1K_V1"));
    expect(without).toEqual(["regnet_y_128gf", "vit_h_14"]);
    for (const model of without) {
      expect(() => defaultWeights(model)).toThrow(
        expect.objectContaining({
          code: "INVALID_OPTION",
          hint: "Known are IMAGENET1K_SWAG_E2E_V1, IMAGENET1K_SWAG_LINEAR_V1",
        }),
      );
      expect(knownCheckpoint(defaultTransforms(model), model).spec.crop).toBe(224);
    }
    expect(defaultWeights("vit_b_16")).toBe("IMAGENET1K_V1");
  });
});

describe("models are chosen", () => {
  test("by patterns", () => {
    expect(modelsMatching(["resnet*"])).toEqual([
      "resnet101",
      "resnet152",
      "resnet18",
      "resnet34",
      "resnet50",
    ]);
    expect(modelsMatching(["VIT_*", "swin_t"], ["*_l_*"])).toEqual([
      "swin_t",
      "vit_b_16",
      "vit_b_32",
      "vit_h_14",
    ]);
    expect(modelsMatching([], ["*"])).toEqual([]);
    expect(modelsMatching([])).toHaveLength(80);
  });

  test("and a pattern that names none is told the nearest", () => {
    const hinting = (hint: string): unknown =>
      expect.objectContaining({ code: "INVALID_OPTION", hint: expect.stringContaining(hint) });
    expect(() => modelsMatching(["resnet51"])).toThrow(hinting('Did you mean "resnet50"?'));
    expect(() => modelsMatching(["shuffle"])).toThrow(hinting("`isotorch models '*shuffle*'`"));
    for (const pattern of ["", "[", "(", "*".repeat(100_000)])
      expect(() => modelsMatching([pattern]), pattern.slice(0, 9)).toThrow(hinting("lists all"));
    expect(() => modelsMatching(["resnet*"], ["xx*"])).toThrow(hinting("`isotorch models` lists all"));
  });

  test("by what is known of their weights", async () => {
    const entries = await listModels({ cacheDir: "/nowhere" }, modelNames());
    const count = (choice: object): number => chosen(entries, choice).length;
    expect(count({})).toBe(114);
    expect(count({ weights: "*SWAG*" })).toBe(12);
    expect(count({ licence: "cc-by-nc-4.0" })).toBe(12);
    expect(count({ licence: "none" })).toBe(102);
    expect(count({ cached: true })).toBe(0);
    expect(chosen(entries, { minAccuracy: 88 }).map(({ model }) => model)).toEqual([
      "regnet_y_128gf",
      "vit_h_14",
      "vit_l_16",
    ]);
    expect(chosen(entries, { maxBytes: 5e6 }).map(({ model }) => model)).toEqual(["squeezenet1_1"]);
  });
});
