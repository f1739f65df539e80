import { describe, expect, test } from "vitest";
import { attest, firstAxis, leftOfKind, referenceAttestation } from "../../src/image/attest/attestation.ts";
import { ownDigests } from "../../src/image/attest/digests.ts";
import { referenceDigests, resizeName, steps } from "../../src/image/attest/built-in.ts";
import { resizedSize, shapeOf } from "../../src/image/resample/geometry.ts";
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

test("sharp and the resampler make of every built-in picture what Pillow on libjpeg-turbo makes of it", () => {
  expect(attest(reference, own, SPEC, "reference")).toEqual({ ...referenceAttestation(), ...ANY_ORDER });
  expect(KINDS.filter((kind) => own.digests[kind] === undefined)).toEqual([]);
});

const ANY_ORDER = { node: expect.arrayContaining(Object.keys(reference)) };

test("the two orders of the resize differ for every shape that is compared", () => {
  for (const [name, digest] of Object.entries(own.resize.horizontal)) {
    expect(own.resize.vertical[name], name).not.toBe(digest);
  }
});

test("every resize that is compared has the shape that it stands for", () => {
  for (const [shape, cases] of Object.entries(steps().resize)) {
    for (const [width, height, size] of cases) {
      expect(shapeOf({ width, height }, resizedSize(width, height, size)), `${width} x ${height}`).toBe(
        shape,
      );
    }
  }
});
