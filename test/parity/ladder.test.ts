import { describe, expect, test } from "vitest";
import { climb } from "../../src/parity/ladder.ts";
import { STAGES } from "../../src/parity/stages.ts";
import type { ArrayStage, Refusal } from "../../src/parity/stages.ts";
import { changed, flat, trace } from "./traces.ts";

const REFUSED: Refusal = { kind: "refused", code: "DECODE_FAILED", message: "cut off" };
const TOLERANCE = { rtol: 0, atol: 0.01 };

describe("the first divergence is", () => {
  const arrays = STAGES.filter((stage) => stage !== "labels") as ArrayStage[];
  test.each(arrays)("%s, where one value of it differs", (stage) => {
    const ladder = climb(trace(changed(stage, 1, 77)), trace());
    expect(ladder).toMatchObject({ verdict: "diverged", firstDivergence: stage });
    expect(ladder.rungs.filter(({ outcome }) => outcome === "differs")).toHaveLength(1);
  });

  test("labels, where one text differs, and both texts are told", () => {
    const ladder = climb(trace({}, ["tench", "gold-fish"]), trace({}, ["tench", "goldfish"]));
    expect(ladder).toMatchObject({ verdict: "diverged", firstDivergence: "labels" });
    expect(ladder.rungs.at(-1)).toMatchObject({ note: 'class 1 is "gold-fish" here and "goldfish" there' });
  });

  test("the earliest of several", () => {
    const ours = trace({
      ...changed("cropped", 0, 1),
      ...changed("logits", 0, 9),
      ...changed("toTensor", 5, 9),
    });
    expect(climb(ours, trace()).firstDivergence).toBe("cropped");
  });

  test("the one with another shape, and both shapes are told", () => {
    const { rungs, firstDivergence } = climb(trace({ resized: flat(341, 255) }), trace());
    expect(firstDivergence).toBe("resized");
    expect(rungs[1]).toMatchObject({
      comparison: {
        kind: "shape-mismatch",
        ours: { shape: [255, 341, 3] },
        reference: { shape: [256, 341, 3] },
      },
    });
  });

  test("decoded, where one side alone refuses the picture", () => {
    expect(climb(REFUSED, trace())).toMatchObject({ verdict: "diverged", firstDivergence: "decoded" });
    const ladder = climb(trace(), { ...REFUSED, code: "UnidentifiedImageError" });
    expect(ladder).toMatchObject({
      verdict: "diverged",
      refusal: { reference: { code: "UnidentifiedImageError" } },
    });
    expect(ladder.refusal?.ours).toBeUndefined();
  });

  test("normalized, where the fused path and its own steps part", () => {
    const stepwise = changed("normalized", 3, 0.5).normalized!;
    const { rungs, firstDivergence } = climb({ ...trace(), stepwise }, trace());
    expect(firstDivergence).toBe("normalized");
    expect(rungs[4]).toMatchObject({ note: expect.stringContaining("fused"), comparison: { equal: true } });
  });
});

describe("with a tolerance", () => {
  test("a picture that differs more is still diverged", () => {
    const ours = trace(changed("logits", 0, 3.02));
    expect(climb(ours, trace(), { tolerance: TOLERANCE }).verdict).toBe("diverged");
  });

  test("pixels must still be equal", () => {
    const ours = trace(changed("decoded", 0, 1));
    expect(climb(ours, trace(), { tolerance: { rtol: 9, atol: 9 } }).verdict).toBe("diverged");
  });

  test("labels must still be equal", () => {
    const ladder = climb(trace({}, ["a"]), trace({}, ["b"]), { tolerance: TOLERANCE });
    expect(ladder.verdict).toBe("diverged");
  });

  test("a picture that differs less is close, and still says where", () => {
    const ladder = climb(trace(changed("logits", 0, 3.005)), trace(), { tolerance: TOLERANCE });
    expect(ladder).toMatchObject({ verdict: "close", firstDivergence: "logits" });
  });

  test("without one, a picture that torch calls close is diverged", () => {
    const ladder = climb(trace(changed("logits", 0, 3.000_001)), trace());
    expect(ladder.verdict).toBe("diverged");
    expect(ladder.rungs[6]).toMatchObject({ closeness: { close: true, rtol: 1.3e-6, atol: 1e-5 } });
  });
});

describe("equal means", () => {
  test("every stage was compared and no bit differs", () => {
    const ladder = climb(trace(), trace());
    expect(ladder).toMatchObject({
      verdict: "equal",
      firstDivergence: null,
      agreement: { top1: true, top5Set: true, top5Order: true },
      nearTie: { gap: 0.5, drift: 0.25 },
    });
    expect(ladder.rungs.map(({ stage }) => stage)).toEqual([...STAGES]);
    expect(ladder.rungs.every(({ outcome }) => outcome === "equal")).toBe(true);
  });

  test("both refuse is no divergence, and both reasons are kept", () => {
    const theirs: Refusal = { kind: "refused", code: "OSError", message: "truncated" };
    expect(climb(REFUSED, theirs)).toMatchObject({
      verdict: "refused",
      firstDivergence: null,
      refusal: { ours: { code: "DECODE_FAILED" }, reference: { code: "OSError" } },
    });
  });

  test("a stage that one side leaves out is not compared, with the reason", () => {
    const ours = { ...trace(), skipped: { resized: "too large" } };
    expect(climb(ours, trace()).rungs[1]).toEqual({ stage: "resized", outcome: "skipped", why: "too large" });
  });
});

describe("a stage that the network never saw", () => {
  const ours = { ...trace(changed("resized", 0, 1)), by: "worker" as const };

  test("is shown as it differs, and decides nothing", () => {
    const ladder = climb(ours, trace(), { handoff: "encoded" });
    expect(ladder).toMatchObject({ verdict: "equal", firstDivergence: null });
    expect(ladder.rungs[1]).toMatchObject({ stage: "resized", outcome: "differs", where: "recomputed" });
  });

  test("leaves the verdict to one that it saw", () => {
    const logits = trace({ ...changed("resized", 0, 1), ...changed("logits", 0, 9) });
    const ladder = climb({ ...logits, by: "worker" }, trace(), { handoff: "encoded" });
    expect(ladder).toMatchObject({ verdict: "diverged", firstDivergence: "logits" });
  });
});

describe("each stage tells where it was made", () => {
  test.each([
    ["tensor", "node", ["controller", "controller", "controller", "controller", "controller"]],
    ["pixels", "node", ["controller", "controller", "controller", "recomputed", "recomputed"]],
    ["encoded", "node", ["recomputed", "recomputed", "recomputed", "recomputed", "recomputed"]],
    ["tensor", "worker", ["worker", "recomputed", "recomputed", "recomputed", "worker"]],
    ["encoded", "worker", ["worker", "recomputed", "recomputed", "recomputed", "worker"]],
  ] as const)("by %s, prepared by the %s", (handoff, by, expected) => {
    const places = climb({ ...trace(), by }, trace(), { handoff }).rungs.map(
      (rung) => rung.outcome !== "skipped" && rung.where,
    );
    expect(places).toEqual([...expected, "worker", "worker", "worker", "worker", "controller"]);
  });
});
