import { expect, test } from "vitest";
import { defaultTimeoutMs } from "../../src/checkpoints/deadline.ts";
import { modelNames } from "../../src/checkpoints/table.ts";
import { resolveClassifyOptions } from "../../src/classification/resolved.ts";
import { DEFAULT_POLICY, patientWith } from "../../src/worker/supervision/policy.ts";

test("resnet101, what is smaller, and what nobody knows have 30 seconds", () => {
  for (const model of ["resnet101", "squeezenet1_1", "mine", undefined])
    expect(defaultTimeoutMs(model)).toBe(30_000);
});

test("larger networks have as much longer as they compute more", () => {
  expect(defaultTimeoutMs("vit_b_16")).toBeGreaterThan(60_000);
  // 1,017 GFLOPs at 518 pixels, at 4 s each but for rounding.
  expect(defaultTimeoutMs("vit_h_14")).toBeGreaterThan(3_800_000);
  for (const model of modelNames()) expect(defaultTimeoutMs(model) % 1_000).toBe(0);
});

test("a timeout that is given wins, and none at all is none", () => {
  const patient = defaultTimeoutMs("vit_h_14");
  expect(resolveClassifyOptions({}, patient).timeoutMs).toBe(patient);
  expect(resolveClassifyOptions({ timeoutMs: 5 }, patient).timeoutMs).toBe(5);
  expect(resolveClassifyOptions({ timeoutMs: 0 }, patient).timeoutMs).toBe(0);
});

test("the start of a worker waits for its warm-up as long as for some calls", () => {
  expect(patientWith(undefined)).toEqual(DEFAULT_POLICY);
  expect(patientWith("resnet101")).toEqual(DEFAULT_POLICY);
  expect(patientWith("vit_h_14").readyMs).toBe(4 * defaultTimeoutMs("vit_h_14"));
});
