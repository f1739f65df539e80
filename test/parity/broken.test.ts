import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClassifier } from "../../src/classification/classifier.ts";
import type { Classifier } from "../../src/classification/classifier.ts";
import { pillowCoefficients, PRECISION_BITS } from "../../src/image/resample/coefficients.ts";
import type { CoefficientSource } from "../../src/image/resample/coefficients.ts";
import { climb } from "../../src/parity/ladder.ts";
import type { Ladder } from "../../src/parity/ladder.ts";
import { ourStages } from "../../src/parity/ours.ts";
import type { OurOptions } from "../../src/parity/ours.ts";
import { Reference, sameNetwork } from "../../src/parity/reference.ts";
import type { Refusal, Traced } from "../../src/parity/stages.ts";
import { UNTRAINED } from "../checkpoint.ts";
import { workerInfo } from "../info.ts";
import { PYTHON } from "../python.ts";

const PHOTOGRAPH = fileURLToPath(new URL("../../examples/images/balloons.jpg", import.meta.url));

/** A small JPEG whose profile swaps red and green: whoever applies it gets another picture. */
const SWAPPED_PROFILE = `
import io, sys
import numpy as np
from PIL import Image, ImageCms
profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
tags = {bytes(profile[at:at + 4]): at for at in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12)}
red, green = tags[b"rXYZ"], tags[b"gXYZ"]
profile[red + 4:red + 12], profile[green + 4:green + 12] = profile[green + 4:green + 12], profile[red + 4:red + 12]
x, y = np.meshgrid(np.arange(300), np.arange(260))
pixels = np.stack([x % 256, y % 256, (x * y) % 256], -1).astype(np.uint8)
Image.fromarray(pixels).save(sys.argv[1], quality=90, icc_profile=bytes(profile))
`;

let classifier: Classifier;
let reference: Reference;
let scratch: string;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "parity-broken-test-"));
  classifier = await createClassifier(UNTRAINED);
  reference = await Reference.start({ python: PYTHON, ...sameNetwork(workerInfo(classifier)) });
});
afterAll(async () => {
  await Promise.all([classifier.close(), reference.close()]);
  rmSync(scratch, { recursive: true, force: true });
});

const traces = new Map<string, Promise<Traced | Refusal>>();

async function compare(path: string, options: OurOptions = {}): Promise<Ladder> {
  const trace = traces.get(path) ?? reference.trace(path);
  traces.set(path, trace);
  return climb(await ourStages(classifier, path, options), await trace);
}

/** What differs below the first divergence must differ too: the damage reaches the answer. */
function reaches(ladder: Ladder): string[] {
  return ladder.rungs.filter(({ outcome }) => outcome === "differs").map(({ stage }) => stage);
}

describe("broken on purpose, the ladder names", () => {
  test("resized, when one coefficient of the resampler is off by a sixty-fourth", async () => {
    const coefficients: CoefficientSource = (inSize, outSize, from, count, interpolation) => {
      const made = pillowCoefficients(inSize, outSize, from, count, interpolation);
      // One tap of the position in the middle, which is the same one for the whole picture and for its crop.
      const position = Math.floor(outSize / 2) - from;
      const weights = made.weights.slice();
      weights[position * made.taps] = weights[position * made.taps]! + 2 ** (PRECISION_BITS - 6);
      return { ...made, weights };
    };
    const ladder = await compare(PHOTOGRAPH, { coefficients });
    expect(ladder).toMatchObject({ verdict: "diverged", firstDivergence: "resized" });
    expect(reaches(ladder)).toEqual(expect.arrayContaining(["resized", "cropped", "normalized", "logits"]));
  });

  test("decoded, when the colour profile is applied", async () => {
    const path = join(scratch, "profile.jpg");
    execFileSync(PYTHON, ["-c", SWAPPED_PROFILE, path]);
    expect(await compare(path)).toMatchObject({ verdict: "equal" });
    const ladder = await compare(path, { call: { icc: "to-srgb" } });
    expect(ladder).toMatchObject({ verdict: "diverged", firstDivergence: "decoded" });
  });

  test("normalized, when one constant is", async () => {
    const { spec } = classifier.info();
    const ladder = await compare(PHOTOGRAPH, { spec: { ...spec, mean: [0.485, 0.456, 0.407] } });
    expect(ladder).toMatchObject({ verdict: "diverged", firstDivergence: "normalized" });
    const rung = ladder.rungs.find(({ stage }) => stage === "normalized");
    // Only the blue plane: a third of the values.
    expect(rung).toMatchObject({ comparison: { differing: 224 * 224, total: 3 * 224 * 224 } });
    expect(reaches(ladder)).toEqual(expect.arrayContaining(["normalized", "logits"]));
  });

  test("labels, when one of the thousand is", async () => {
    const labels = reference.labels.with(207, "golden retriver");
    const ladder = await compare(PHOTOGRAPH, { labels });
    expect(ladder).toMatchObject({ verdict: "diverged", firstDivergence: "labels" });
    expect(reaches(ladder)).toEqual(["labels"]);
  });

  test("decoded, when only one side takes the picture", async () => {
    const palette = fileURLToPath(new URL("../../examples/images/fruit.png", import.meta.url));
    expect(await compare(palette, { call: { mode: "strict" } })).toMatchObject({
      verdict: "diverged",
      firstDivergence: "decoded",
      refusal: { ours: { code: "UNSUPPORTED_MODE" } },
    });
  });
});

describe("the reference", () => {
  test("refuses a checkpoint with another hash", async () => {
    const { path } = workerInfo(classifier).weights;
    const start = Reference.start({ python: PYTHON, checkpoint: path, sha256: "0".repeat(64) });
    await expect(start).rejects.toMatchObject({ code: "CHECKPOINT_CORRUPT" });
  });

  test("says so when the interpreter does not exist", async () => {
    const start = Reference.start({ python: join(scratch, "python3"), checkpoint: "none.pth" });
    await expect(start).rejects.toMatchObject({
      code: "WORKER_DIED",
      hint: expect.stringContaining("ENOENT"),
    });
  });

  test("survives a picture that Pillow cannot read, and both sides agree on it", async () => {
    const path = join(scratch, "cut.jpg");
    writeFileSync(path, Buffer.from("ffd8ffe000104a464946", "hex"));
    const ladder = await compare(path);
    expect(ladder).toMatchObject({
      verdict: "refused",
      refusal: { ours: { code: "DECODE_FAILED" }, reference: { code: "OSError" } },
    });
    expect(await reference.trace(PHOTOGRAPH)).toMatchObject({ kind: "traced" });
    expect(await compare(PHOTOGRAPH)).toMatchObject({ verdict: "equal", firstDivergence: null });
  });
});
