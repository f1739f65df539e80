/** `isotorch serve` with the real network behind it: the answer over HTTP has the bits of the worker's own. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClassifier } from "../../src/classification/classifier.ts";
import type { Classifier } from "../../src/classification/classifier.ts";
import { createServer } from "../../src/server.ts";
import type { Server } from "../../src/server.ts";
import { MODEL, UNTRAINED } from "../checkpoint.ts";
import { failureOf } from "../failure.ts";
import { PICTURES, classifySuite } from "../kinds/suite.ts";
import { PYTHON } from "../python.ts";

const include = { logits: true, probabilities: true };

let scratch: string;
let local: Classifier;
let server: Server;
let remote: Classifier;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "remote-test-"));
  local = await createClassifier(UNTRAINED);
  const decoder = { script: new URL("../../dist/image/process/child.js", import.meta.url), processes: 1 };
  server = await createServer({ classifier: local, port: 0, compare: false, decoder });
  remote = await createClassifier({ remote: { url: server.url, token: server.token ?? "", model: MODEL } });
});
afterAll(async () => {
  await remote?.close();
  await server?.close();
  await local?.close();
  rmSync(scratch, { recursive: true, force: true });
});

classifySuite("a worker of this machine", () => local);
classifySuite("isotorch serve", () => remote);

describe("the answer of the server has every bit of the worker's", () => {
  test("in every class, and in the probabilities", async () => {
    for (const picture of PICTURES) {
      const here = await local.classifyDetailed(picture, { topK: 0, include });
      const there = await remote.classifyDetailed(picture, { topK: 0, include });
      expect(there.top).toEqual(here.top);
      expect(bytes(there.logits).equals(bytes(here.logits))).toBe(true);
      expect(bytes(there.probabilities).equals(bytes(here.probabilities))).toBe(true);
    }
  });

  test("for a picture that only Pillow reads as Pillow does", async () => {
    const cmyk = join(scratch, "cmyk.jpg");
    const script =
      "import sys; from PIL import Image; Image.open(sys.argv[1]).convert('CMYK').save(sys.argv[2])";
    execFileSync(PYTHON, ["-c", script, PICTURES[0] ?? "", cmyk]);
    expect(existsSync(cmyk)).toBe(true);
    expect(await remote.classify(cmyk, { topK: 0 })).toEqual(await local.classify(cmyk, { topK: 0 }));
    const { code } = await failureOf(remote.classifyDetailed(cmyk, { include: { tensor: true } }));
    expect(code).toBe("UNSUPPORTED_FORMAT");
  });
});

test("info() says what runs there", () => {
  const here = local.info();
  const { weights, threads, versions, device, precision, spec } = remote.info();
  expect({ threads, versions, device, precision, spec }).toEqual({
    threads: here.threads,
    versions: here.versions,
    device: here.device,
    precision: here.precision,
    spec: here.spec,
  });
  expect(weights).toMatchObject({ sha256: here.weights.sha256, trained: false });
});

test("errors keep their codes, sentences and hints", async () => {
  const nan = { data: new Float32Array(3 * 224 * 224).fill(Number.NaN), shape: [1, 3, 224, 224] };
  const here = await failureOf(local.classify(nan));
  const there = await failureOf(remote.classify(nan));
  expect(there.toJSON()).toEqual(here.toJSON());

  const text = join(scratch, "text.jpg");
  writeFileSync(text, "no picture");
  expect((await failureOf(remote.classify(text))).toJSON()).toEqual(
    (await failureOf(local.classify(text))).toJSON(),
  );

  const late = await failureOf(remote.classify(PICTURES[0] ?? "", { timeoutMs: 1 }));
  expect(late.code).toBe("DEADLINE_EXCEEDED");
});

test("a wrong token is refused with a sentence", async () => {
  const error = await failureOf(
    createClassifier({ remote: { url: server.url, token: "some-other-token", model: MODEL } }),
  );
  expect(error.code).toBe("REMOTE_REFUSED");
  expect(error.message).not.toMatch(/some-other-token/);
});

function bytes(values: Float32Array | undefined): Buffer {
  if (values === undefined) throw new Error("nothing to compare");
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}
