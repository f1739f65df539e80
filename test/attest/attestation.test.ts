import { describe, expect, test } from "vitest";
import {
  attest,
  type Attestation,
  firstAxis,
  leftOfKind,
  referenceAttestation,
} from "../../src/image/attest/attestation.ts";
import { ownDigests } from "../../src/image/attest/digests.ts";
import { furtherSteps, pattern } from "../../src/image/attest/steps.ts";
import { prepare } from "../../src/image/prepare.ts";
import { DEFAULT_LIMITS } from "../../src/image/source/limits.ts";
import { referenceDigests, resizeName, steps } from "../../src/image/attest/built-in.ts";
import { type InputSpec, resizedSize, shapeOf } from "../../src/image/resample/geometry.ts";
import { KINDS } from "../../src/image/headers/kinds.ts";
import { specOf } from "../../src/checkpoints/table.ts";

const SPEC = specOf("IMAGENET1K_V1");
const own = await ownDigests();
const reference = referenceDigests();

describe("what an environment says is taken for what it is:", () => {
  test("a kind or a step that it does not name is left to it", () => {
    const nothing = attest({}, own, SPEC, "worker");
    expect(nothing.node).toEqual([]);
    expect(nothing.resize).toEqual({});
    expect(nothing.worker.toSorted()).toEqual(Object.keys(reference).toSorted());
  });

  test.each(Object.keys(reference))("%s with another digest is left to it, and nothing else", (name) => {
    const { node, worker } = attest({ ...reference, [name]: "0".repeat(16) }, own, SPEC, "worker");
    expect(worker).toEqual([name]);
    expect(node).toHaveLength(Object.keys(reference).length - 1);
  });

  test("names that nobody here knows, of a newer server, change nothing", () => {
    const newer = attest({ ...reference, "jpeg-xl": "0".repeat(16) }, own, SPEC, "server");
    expect(newer.worker).toEqual([]);
    expect(leftOfKind(newer, { kind: "jpeg-xl" })).toBeDefined();
  });

  test("the axis that comes first is the one whose bytes are equal, shape by shape", () => {
    const name = resizeName("bilinear", "tall", SPEC.resize);
    const tall = attest({ ...reference, [name]: own.resize.vertical[name]! }, own, SPEC, "worker");
    expect(tall.worker).toEqual([]);
    expect(firstAxis(tall, { width: 300, height: 700 }, SPEC)).toBe("vertical");
    expect(firstAxis(tall, { width: 300, height: 600 }, SPEC)).toBe("horizontal");
    expect(firstAxis(tall, { width: 700, height: 300 }, SPEC)).toBe("horizontal");
    expect(firstAxis(tall, { width: 300, height: 700 }, { ...SPEC, interpolation: "bicubic" })).toBe(
      "horizontal",
    );
  });

  test("another mean is another normalisation", () => {
    const { worker } = attest(reference, own, { ...SPEC, mean: [0.5, 0.456, 0.406] }, "worker");
    expect(worker).toEqual(["normalize", "normalize-pixels"]);
  });
});

describe("what a spec has beside ImageNet's is compared for it, and nothing recorded stands for it:", () => {
  const spec: InputSpec = { ...SPEC, resize: [48, 80], crop: [40, 90], interpolation: "nearest" };
  const made = furtherSteps(spec);
  const size = { width: 300, height: 700 };

  test("who does not name its steps is left to do them", () => {
    const unasked = attest(reference, own, spec, "reference");
    const names = [...Object.keys(made.resize.horizontal), "crop-any"];
    expect(names.toSorted()).toEqual(["crop-any", "stretch-nearest"]);
    expect(unasked.worker.toSorted()).toEqual(names.toSorted());
    expect(firstAxis(unasked, size, spec)).toBeUndefined();
  });

  test("who says the same of them has them done here", () => {
    const theirs = { ...reference, ...made.digests, ...made.resize.horizontal };
    const asked = attest(theirs, own, spec, "worker");
    expect(asked.worker).toEqual([]);
    expect(firstAxis(asked, size, spec)).toBe("horizontal");
    expect(asked.node).toContain("crop-any");
  });

  test.each(["resize", "interpolation", "crop"] as const)("its %s is another step than theirs", (name) => {
    const other: InputSpec = { ...SPEC, [name]: spec[name] };
    const { worker } = attest(reference, own, other, "reference");
    expect(worker.length).toBeGreaterThan(0);
    const way = {
      resize: /^(?:stretch-bilinear-|crop-any$)/,
      interpolation: /^resize-nearest$/,
      crop: /^crop-any$/,
    };
    expect(worker.filter((step) => !way[name].test(step))).toEqual([]);
  });

  test("a picture whose crop has black around it is prepared here only where that is equal", async () => {
    const padded: InputSpec = { ...SPEC, crop: 300 };
    const ours = attest({ ...reference, ...furtherSteps(padded).digests }, own, padded, "worker");
    const left = attest(reference, own, padded, "worker");
    expect((await prepared(padded, ours)).tensor?.shape).toEqual([1, 3, 300, 300]);
    expect((await prepared(padded, left)).left).toBe("this torchvision crops otherwise");
  });
});

function prepared(spec: InputSpec, attestation: Attestation) {
  const want = { encoded: false, pixels: false, cropped: false, tensor: true };
  const source = { kind: "pixels", pixels: pattern(40, 30) } as const;
  return prepare({ source, spec, attestation, limits: DEFAULT_LIMITS, decode: {}, want });
}

test("sharp and the resampler make of every built-in picture what Pillow on libjpeg-turbo makes of it", () => {
  expect(attest(reference, own, SPEC, "reference")).toEqual({ ...referenceAttestation(), ...ANY_ORDER });
  expect(KINDS.filter((kind) => own.digests[kind] === undefined)).toEqual([]);
});

const ANY_ORDER = { node: expect.arrayContaining(Object.keys(reference)) };

test("the two orders of the resize differ for every shape that is compared", () => {
  const further = (["bilinear", "bicubic"] as const).map((interpolation) =>
    furtherSteps({ ...SPEC, resize: [9, 9], crop: 9, interpolation }),
  );
  for (const { resize } of [own, ...further]) {
    expect(Object.keys(resize.horizontal).length).toBeGreaterThan(3);
    for (const [name, digest] of Object.entries(resize.horizontal)) {
      expect(resize.vertical[name], name).not.toBe(digest);
    }
  }
});

test("the nearest pixel is compared where it matters how its place is computed", () => {
  const { resize, stretch } = steps();
  for (const shapes of [resize, stretch]) {
    const telling = Object.values(shapes)
      .flat()
      .filter(([width, height, size]) => {
        const to = resizedSize(width, height, size);
        return isAddedUp(width, to.width) || isAddedUp(height, to.height);
      });
    expect(telling.length).toBeGreaterThan(2);
  }
});

/** Whether adding up the steps gives another place than multiplying. */
function isAddedUp(from: number, to: number): boolean {
  const step = from / to;
  let at = step * 0.5;
  for (let position = 0; position < to; position++, at += step)
    if (Math.trunc(at) !== Math.trunc((position + 0.5) * step)) return true;
  return false;
}

test("every resize that is compared has the shape that it stands for", () => {
  const { resize, stretch } = steps();
  for (const [shape, cases] of [...Object.entries(resize), ...Object.entries(stretch)]) {
    for (const [width, height, size] of cases) {
      expect(shapeOf({ width, height }, resizedSize(width, height, size)), `${width} x ${height}`).toBe(
        shape,
      );
    }
  }
});
