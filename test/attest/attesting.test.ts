import { expect, test } from "vitest";
import { attesting } from "../../src/classification/attesting.ts";
import { ownDigests } from "../../src/image/attest/digests.ts";
import { referenceDigests } from "../../src/image/attest/built-in.ts";
import { specOf } from "../../src/checkpoints/table.ts";

const own = await ownDigests();
type Digests = Readonly<Record<string, string>>;
const network = (...digests: Digests[]) => ({
  spec: specOf("IMAGENET1K_V1"),
  categories: [],
  models: [],
  attestedBy: "worker" as const,
  digests,
});

test("of several workers, Node does what all of them do as it does", () => {
  const whole = referenceDigests();
  const other = { ...referenceDigests(), "jpeg-420": "another", "resize-bilinear-tall": "another" };
  for (const both of [
    [whole, other],
    [other, whole],
  ]) {
    const { worker, resize } = attesting(() => network(...both), own, undefined)();
    expect(worker.toSorted()).toEqual(["jpeg-420", "resize-bilinear-tall"]);
    expect(Object.keys(resize)).not.toContain("resize-bilinear-tall");
  }
});

test("a worker that was started anew is compared anew, and one line says it", () => {
  const lines: string[] = [];
  const tell = (line: string): number => lines.push(line);
  const logger = { debug: tell, info: tell, warn: tell, error: tell };
  const changing = network(referenceDigests());
  const attestation = attesting(() => changing, own, logger);
  expect(attestation().worker).toEqual([]);
  attestation();
  expect(lines).toHaveLength(1);
  changing.digests[0] = { ...referenceDigests(), crop: "another" };
  expect(attestation().worker).toEqual(["crop"]);
  expect(lines).toHaveLength(2);
  expect(lines[1]).toContain("crop");
});
