import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import type { StageArray } from "../../../src/parity/compare/array.ts";
import { closenessOf, FLOAT32_TOLERANCE } from "../../../src/parity/compare/closeness.ts";
import type { Tolerance } from "../../../src/parity/compare/closeness.ts";
import { pythonFloat, pythonPercent } from "../../../src/parity/compare/python-float.ts";
import { PYTHON } from "../../python.ts";

const MILLIONTH = 1e-6;

interface Case extends Tolerance {
  readonly ours: StageArray;
  readonly reference: StageArray;
}

/** Torch's answer for each case: its message, or null where it passes. */
const ORACLE = `
import json, sys, numpy as np, torch
said = []
for case in json.load(sys.stdin):
    a, b = (torch.from_numpy(np.array(case[side], dtype=np.uint32).view(np.float32).reshape(case["shape"]))
            for side in ("ours", "reference"))
    try:
        torch.testing.assert_close(a, b, rtol=float(case["rtol"]), atol=float(case["atol"]))
        said.append(None)
    except AssertionError as error:
        said.append(str(error))
json.dump({"version": torch.__version__, "said": said}, sys.stdout)
`;

interface Torch {
  readonly version: string;
  readonly said: readonly (string | null)[];
}

function torchOn(asked: readonly Case[]): Torch {
  const bits = ({ data }: StageArray): number[] => [...new Uint32Array(data.buffer, 0, data.length)];
  const input = asked.map(({ ours, reference, rtol, atol }) => ({
    ours: bits(ours),
    reference: bits(reference),
    shape: ours.shape,
    rtol,
    atol,
  }));
  const options = { input: JSON.stringify(input), maxBuffer: 2 ** 26, encoding: "utf8" } as const;
  return JSON.parse(execFileSync(PYTHON, ["-c", ORACLE], options)) as Torch;
}

/** The same numbers at every run: a multiplicative generator, for tests only. */
function* random(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (state * 48_271) % 2_147_483_647;
    yield state / 2_147_483_647;
  }
}

function cases(): Case[] {
  const source = random(7);
  const draw = (): number => source.next().value;
  const tolerances = [
    FLOAT32_TOLERANCE,
    { rtol: 0, atol: 0 },
    { rtol: 1e-3, atol: 0 },
    { rtol: 0, atol: 2e-4 },
  ];
  return Array.from({ length: 200 }, (_, index) => {
    const shape = [[16], [1, 40], [3, 8, 8], [1000]][index % 4]!;
    const count = shape.reduce((a, b) => a * b, 1);
    const scale = 10 ** Math.floor(draw() * 8 - 4);
    const reference = Float32Array.from({ length: count }, () => (draw() - 0.5) * scale);
    const drift = 10 ** Math.floor(draw() * 8 - 9);
    const ours = reference.map((value) => (draw() < 0.5 ? value : value + (draw() - 0.5) * drift * scale));
    if (index % 10 === 3) reference[2] = 0;
    if (index % 20 === 5) ours[3] = Number.NaN;
    if (index % 20 === 7) ours[1] = Infinity;
    if (index % 20 === 9) ours[4] = reference[4] = -Infinity;
    const tolerance = tolerances[Math.floor(draw() * tolerances.length)]!;
    const as = (data: Float32Array): StageArray => ({ dtype: "<f4", shape, data });
    return { ours: as(ours), reference: as(reference), ...tolerance };
  });
}

describe("against torch.testing.assert_close itself", () => {
  const all = cases();
  const answers = all.map((one) => closenessOf(one.ours, one.reference, one));
  let torch: Torch;
  beforeAll(() => {
    torch = torchOn(all);
  });

  test("some cases pass and some fail", () => {
    const failing = answers.filter(({ close }) => !close).length;
    expect(failing).toBeGreaterThan(40);
    expect(failing).toBeLessThan(180);
  });

  test("it fails and passes where torch does", () => {
    expect(answers.map(({ close }) => close)).toEqual(torch.said.map((message) => message === null));
  });

  test("it says what torch says, to the last digit", () => {
    // Torch 2 takes the differences in float32: there the last digits are its own.
    const shown = Number(torch.version.split(".")[0]) < 2 ? verbatim : rounded;
    expect(answers.map(({ message }) => shown(message))).toEqual(torch.said.map(shown));
  });

  test("the smallest tolerances pass in torch, and a millionth less does not", () => {
    const enough: Case[] = [];
    const tooLittle: Case[] = [];
    for (const [index, answer] of answers.entries()) {
      const one = all[index]!;
      for (const name of ["atol", "rtol"] as const) {
        const needed = name === "atol" ? answer.smallestAtol : answer.smallestRtol;
        if (needed === null || needed === 0) continue;
        enough.push({ ...one, [name]: needed * (1 + MILLIONTH) });
        tooLittle.push({ ...one, [name]: needed * (1 - MILLIONTH) });
      }
    }
    expect(enough.length).toBeGreaterThan(100);
    const { said } = torchOn([...enough, ...tooLittle]);
    expect(said.slice(0, enough.length).filter((message) => message !== null)).toEqual([]);
    expect(said.slice(enough.length)).toHaveLength(tooLittle.length);
    expect(said.slice(enough.length).filter((message) => message === null)).toEqual([]);
  });
});

describe("without torch", () => {
  const floats = (...data: number[]): StageArray => ({
    dtype: "<f4",
    shape: [data.length],
    data: Float32Array.from(data),
  });

  test("no tolerance makes up for NaN or infinity", () => {
    expect(closenessOf(floats(Number.NaN), floats(1))).toMatchObject({
      smallestAtol: null,
      smallestRtol: null,
    });
    expect(closenessOf(floats(Infinity), floats(1))).toMatchObject({
      smallestAtol: null,
      smallestRtol: null,
    });
  });

  test("no relative tolerance makes up for a zero that should be one", () => {
    expect(closenessOf(floats(1), floats(0))).toMatchObject({
      close: false,
      smallestRtol: null,
      smallestAtol: 1,
    });
  });

  test("equal arrays need no tolerance", () => {
    const found = closenessOf(floats(1, 2), floats(1, 2), { rtol: 0, atol: 0 });
    expect(found).toMatchObject({ close: true, smallestAtol: 0, smallestRtol: 0, message: null });
  });
});

test.each([
  [1e-5, "1e-05"],
  [0.0001, "0.0001"],
  [2, "2.0"],
  [1e16, "1e+16"],
  [1e15, "1000000000000000.0"],
  [1.3e-6, "1.3e-06"],
  [-0, "-0.0"],
  [Number.NaN, "nan"],
  [-Infinity, "-inf"],
])("%f is written %s, as Python writes it", (value, expected) => {
  expect(pythonFloat(value)).toBe(expected);
});

test("halves of a tenth of a percent go to the even digit, as Python rounds", () => {
  expect([1, 3, 5].map((part) => pythonPercent(part, 16))).toEqual(["6.2%", "18.8%", "31.2%"]);
});

function verbatim(message: string | null): string | null {
  return message;
}

function rounded(message: string | null): string | undefined {
  return message?.replaceAll(/\d+\.\d+(e[+-]\d+)?/g, (number) => Number(number).toPrecision(5));
}
