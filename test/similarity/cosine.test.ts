/** Cosines, what is nearest and what belongs together: by hand, and by NumPy in float64. */
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { cosineOf, dot } from "../../src/similarity/cosine.ts";
import { groupsOf } from "../../src/similarity/groups.ts";
import { Nearest } from "../../src/similarity/nearest.ts";
import type { Vector } from "../../src/similarity/vector.ts";
import { codeOf } from "../failure.ts";
import { PYTHON } from "../python.ts";

const vector = (name: string, ...values: number[]): Vector => ({ name, values: Float32Array.from(values) });
const cosine = (a: Float32Array, b: Float32Array): number | undefined =>
  cosineOf(a, b, [dot(a, a), dot(b, b)]);

/** A vector whose cosine with (1, 0) is that of so many degrees. */
const at = (degrees: number): Vector => {
  const angle = (degrees * Math.PI) / 180;
  return vector(`${degrees}`, Math.cos(angle), Math.sin(angle));
};

/** Vectors of all sizes of float32, the same in every run. */
function made(count: number, size: number): Float32Array[] {
  let state = 1;
  const next = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  return Array.from({ length: count }, (_, row) =>
    Float32Array.from({ length: size }, () => (next() - 0.3) * 10 ** ((row % 12) - 5)),
  );
}

describe("the cosine", () => {
  test("is NumPy's in float64 to 1e-12, for long vectors large and small", () => {
    const vectors = made(12, 2048);
    const script = `
import json, sys
import numpy
a = numpy.frombuffer(sys.stdin.buffer.read(), "<f4").reshape(12, 2048).astype("float64")
norms = numpy.sqrt((a * a).sum(1))
print(json.dumps((a @ a.T / numpy.outer(norms, norms)).tolist()))`;
    const input = Buffer.concat(vectors.map((one) => Buffer.from(one.buffer)));
    const expected = JSON.parse(
      execFileSync(PYTHON, ["-c", script], { input, encoding: "utf8" }),
    ) as number[][];
    for (const [row, a] of vectors.entries())
      for (const [column, b] of vectors.entries())
        expect(Math.abs((cosine(a, b) ?? NaN) - (expected[row]?.[column] ?? NaN))).toBeLessThan(1e-12);
  });

  test("of a vector and itself is 1, and of it and its opposite -1, to the last bit", () => {
    for (const one of made(12, 513)) {
      expect(cosine(one, one)).toBe(1);
      expect(
        cosine(
          one,
          one.map((value) => -value),
        ),
      ).toBe(-1);
    }
  });

  test("is finite at the ends of float32, and not defined for zeros", () => {
    const largest = Float32Array.from({ length: 4096 }, () => 3.4e38);
    const smallest = Float32Array.from({ length: 4096 }, () => 1.4e-45);
    expect(cosine(largest, smallest)).toBeCloseTo(1, 12);
    expect(cosine(largest, new Float32Array(4096))).toBeUndefined();
  });
});

describe("the nearest", () => {
  test("are in order, of equals the first that came, and no more than were asked for", () => {
    const nearest = new Nearest(Float32Array.of(1, 0), 3);
    for (const one of [at(40), at(10), vector("twice as long", 2, 0), vector("same", 1, 0), at(80), at(20)])
      nearest.add(one);
    expect(nearest.found.map(({ name }) => name)).toEqual(["twice as long", "same", "10"]);
  });

  test("are all for 0, without zeros, which are counted", () => {
    const nearest = new Nearest(Float32Array.of(1, 0), 0);
    for (const one of [at(180), vector("zeros", 0, 0), at(90), at(0)]) nearest.add(one);
    expect(nearest.found.map(({ name }) => name)).toEqual(["0", "90", "180"]);
    expect(nearest.zeros).toBe(1);
  });
});

describe("groups", () => {
  const names = async (vectors: Vector[], threshold: number): Promise<string[][]> =>
    (await groupsOf(vectors, threshold)).map((group) => group.map(({ name }) => name));

  test("are chains whose links are at least the threshold, in the order of the vectors", async () => {
    const vectors = [at(0), at(90), at(20), at(180), at(10), at(95), at(300)];
    expect(await names(vectors, Math.cos((11 * Math.PI) / 180))).toEqual([
      ["0", "20", "10"],
      ["90", "95"],
    ]);
    expect(await names(vectors, 0.9999)).toEqual([]);
  });

  test("are joined where a later vector links two, and say each one's highest cosine", async () => {
    const [group = [], ...others] = await groupsOf([at(0), at(16), at(1), at(15), at(8)], 0.99);
    expect(others).toEqual([]);
    expect(group.map(({ at: place }) => place)).toEqual([0, 1, 2, 3, 4]);
    const degrees = group.map(({ similarity = NaN }) => Math.round((Math.acos(similarity) * 180) / Math.PI));
    expect(degrees).toEqual([1, 1, 1, 1, 7]);
  });

  test("at 1 are the same vectors, whatever their length", async () => {
    expect(await names([at(33), at(34), at(33)], 1)).toEqual([["33", "33"]]);
  });

  test("have no zeros, but for those that belong together anyway", async () => {
    const vectors = [vector("a", 0, 0), vector("b", 0, 0), vector("c", 0, 0), at(0)];
    expect(await names(vectors, 0)).toEqual([]);
    const groups = await groupsOf(vectors, 0, { joined: [[2, 0]] });
    expect(groups).toEqual([
      [
        { at: 0, name: "a", similarity: undefined },
        { at: 2, name: "c", similarity: undefined },
      ],
    ]);
  });

  test("are the same as by looking at each pair again and again, for many vectors", async () => {
    const vectors = made(60, 3).map((values, place) => ({
      name: `${place}`,
      values: values.map((value) => value * 1e3),
    }));
    for (const threshold of [0.5, 0.9, 0.99]) {
      const label = vectors.map((_, place) => place);
      for (let changed = true; changed;) {
        changed = false;
        for (const [a, one] of vectors.entries())
          for (const [b, other] of vectors.entries())
            if ((cosine(one.values, other.values) ?? -1) >= threshold && label[a] !== label[b]) {
              label[a] = label[b] = Math.min(label[a]!, label[b]!);
              changed = true;
            }
      }
      const expected = [...new Set(label)]
        .map((root) => vectors.filter((_, place) => label[place] === root).map(({ name }) => name))
        .filter((group) => group.length > 1);
      expect(await names(vectors, threshold)).toEqual(expected);
    }
  });

  test("end when they are aborted", async () => {
    const signal = AbortSignal.abort();
    expect(await codeOf(groupsOf([at(0), at(1)], 0.9, { signal }))).toBe("ABORTED");
  });
});
