/** What every kind of classifier does alike: a worker of this machine, `isotorch serve`, Ray Serve. */
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync, copyFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Classifier } from "../../src/classification/classifier.ts";
import type { Handoff } from "../../src/classification/options.ts";
import { MODEL, checkpointOf } from "../checkpoint.ts";
import { codeOf, failureOf } from "../failure.ts";
import { PYTHON } from "../python.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/images/", import.meta.url));
const PLAIN = fileURLToPath(new URL("../../python/plain.py", import.meta.url));
export const PICTURES: readonly string[] = readdirSync(EXAMPLES)
  .toSorted()
  .slice(0, 3)
  .map((name) => join(EXAMPLES, name));
const [FIRST = "", SECOND = ""] = PICTURES;

export interface PlainAnswer {
  readonly top5: readonly { readonly index: number; readonly label: string; readonly percent: number }[];
  readonly tensor_sha256: string;
  readonly logits_sha256: string;
}

/** The pictures by plain PyTorch, with the checkpoint and the threads of `UNTRAINED`. */
function plainAnswers(model: string): readonly PlainAnswer[] {
  const network = ["--model", model, "--checkpoint", checkpointOf(model), "--threads", "2"];
  const lines = execFileSync(PYTHON, [PLAIN, ...network, ...PICTURES], { encoding: "utf8" });
  return lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as PlainAnswer);
}

const asked = new Map<string, readonly PlainAnswer[]>();

/** @param open the classifier, with `untrained:0` of the model on two threads behind it; the suite does not close it. */
export function classifySuite(kind: string, open: () => Classifier, model: string = MODEL): void {
  describe(`${kind}:`, () => {
    let classifier: Classifier;
    let scratch: string;
    let plain: readonly PlainAnswer[];
    beforeAll(() => {
      classifier = open();
      scratch = mkdtempSync(join(tmpdir(), "kinds-test-"));
      plain = asked.get(model) ?? plainAnswers(model);
      asked.set(model, plain);
    });
    afterAll(() => rmSync(scratch, { recursive: true, force: true }));

    test.each<Handoff>(["tensor", "pixels", "encoded"])(
      "the answer of plain PyTorch, bit for bit, with handoff %s",
      async (handoff) => {
        for (const [at, picture] of PICTURES.entries()) {
          const options = { handoff, include: { logits: true } };
          const { top, logits } = await classifier.classifyDetailed(picture, options);
          expect(sha256(logits), basename(picture)).toBe(plain[at]?.logits_sha256);
          expect(top.map(({ index, label, percent }) => ({ index, label, percent }))).toEqual(
            plain[at]?.top5,
          );
        }
      },
    );

    test("preprocess() gives torchvision's tensor", async () => {
      expect(sha256((await classifier.preprocess(FIRST)).data)).toBe(plain[0]?.tensor_sha256);
    });

    test("a list, in its order", async () => {
      const images = [...PICTURES, ...PICTURES.toReversed()];
      // However busy the machine is.
      const answers = await classifier.classify(images, { topK: 1, timeoutMs: 0 });
      const best = plain.map(({ top5 }) => top5[0]?.index);
      expect(answers.map(([top]) => top?.index)).toEqual([...best, ...best.toReversed()]);
    });

    test("one bad picture costs its neighbours nothing", async () => {
      const results = await classifier.classifySettled([FIRST, join(scratch, "missing.jpg"), SECOND]);
      expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    });

    test("a stream, answered in its order", async () => {
      const indices: (number | undefined)[] = [];
      for await (const result of classifier.classifyStream(PICTURES))
        indices.push(result.status === "fulfilled" ? result.value.top[0]?.index : undefined);
      expect(indices).toEqual(plain.map(({ top5 }) => top5[0]?.index));
    });

    test("all classes, best first, with the score of each", async () => {
      const top = await classifier.classify(FIRST, { topK: 0 });
      expect(top).toHaveLength(1_000);
      const scores = top.map(({ score }) => score);
      expect(scores).toEqual(scores.toSorted((a, b) => b - a));
      expect(scores.reduce((sum, score) => sum + score, 0)).toBeCloseTo(1, 4);
    });

    test("bytes, pixels and tensors as pictures", async () => {
      const tensor = await classifier.preprocess(FIRST);
      expect(await classifier.classify(tensor)).toEqual(await classifier.classify(FIRST));
      const raw = {
        data: new Uint8Array(300 * 300 * 3).fill(128),
        width: 300,
        height: 300,
        channels: 3 as const,
      };
      expect(await classifier.classify(raw)).toHaveLength(5);
    });

    test.each([
      ["a missing file", () => join(scratch, "none.jpg"), "INPUT_NOT_FOUND"],
      ["text", () => text(scratch), "UNSUPPORTED_FORMAT"],
      ["a truncated picture", () => cut(scratch), "DECODE_FAILED"],
      [
        "a tensor of another shape",
        () => ({ data: new Float32Array(12), shape: [1, 3, 2, 2] }),
        "BAD_TENSOR",
      ],
    ])("%s gets its code, with a sentence and a hint", async (_, make, code) => {
      const error = await failureOf(classifier.classify(make()));
      expect(error.code).toBe(code);
      expect(error.message).toMatch(/^[^a-z][\s\S]*[.…]$/);
      expect(error.hint).not.toBe("");
    });

    test("a deadline and an abort", async () => {
      expect(await codeOf(classifier.classify(FIRST, { timeoutMs: 1 }))).toBe("DEADLINE_EXCEEDED");
      const signal = AbortSignal.abort();
      expect(await codeOf(classifier.classify(FIRST, { signal }))).toBe("ABORTED");
    });

    test("info(), health() and stats() tell of the network", () => {
      expect(classifier.info()).toMatchObject({
        device: "cpu",
        threads: 2,
        precision: "exact",
        weights: { trained: false, transforms: "IMAGENET1K_V1" },
      });
      expect(classifier.health()).toMatchObject({ ready: true, waiting: 0 });
      const { submitted, succeeded, failed } = classifier.stats();
      expect(succeeded).toBeGreaterThan(10);
      expect(submitted).toBe(succeeded + failed);
    });
  });
}

function text(folder: string): string {
  const path = join(folder, "text.jpg");
  writeFileSync(path, "no picture at all");
  return path;
}

function cut(folder: string): string {
  const path = join(folder, "cut.jpg");
  copyFileSync(FIRST, path);
  truncateSync(path, 5_000);
  return path;
}

function sha256(array: Float32Array | undefined): string {
  if (array === undefined) throw new Error("nothing to hash");
  return createHash("sha256")
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest("hex");
}
