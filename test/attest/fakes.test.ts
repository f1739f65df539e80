/** An environment that differs in one thing is noticed at the start, and its own answer is given. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClassifier } from "../../src/classification/classifier.ts";
import { referenceAttestation } from "../../src/image/attest/attestation.ts";
import { DEFAULT_LIMITS } from "../../src/image/source/limits.ts";
import { prepare } from "../../src/image/prepare.ts";
import { Reference, sameNetwork } from "../../src/parity/reference.ts";
import type { Traced } from "../../src/parity/stages.ts";
import { UNTRAINED } from "../checkpoint.ts";
import { workerInfo } from "../info.ts";
import { PYTHON } from "../python.ts";
import { bytesOf, differences } from "../image/random.ts";

let folder: string;
let python: string;
let pictures: readonly string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "isotorch-fakes-"));
  const environment = join(folder, "environment");
  const run = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(PYTHON, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  run("-m", "venv", "--without-pip", "--system-site-packages", environment);
  python = join(environment, "bin", "python");
  const { stdout } = spawnSync(python, ["-c", "import site; print(site.getsitepackages()[0])"], {
    encoding: "utf8",
  });
  copyFileSync(here("fakes.py"), join(stdout.trim(), "isotorch_fake.py"));
  writeFileSync(join(stdout.trim(), "fake.pth"), "import isotorch_fake\n");
  run(here("make_pictures.py"), folder);
  pictures = readdirSync(folder).filter((name) => name !== "environment");
});
afterAll(() => {
  delete process.env["ISOTORCH_FAKE"];
  rmSync(folder, { recursive: true });
});

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

describe.each([
  // What must be left to the worker, and what must not; and the pictures for which it matters.
  ["one coefficient", /^jpeg-/, ["photo.jpg", "tall.jpg"]],
  ["one colour", /^png-palette/, ["palette.png"]],
  ["vertical first", /^none$/, pictureNames()],
] as const)("an environment whose Pillow differs in: %s", (fake, left, concerned) => {
  test("is noticed at its start, and gives its own answers by every handoff", async () => {
    process.env["ISOTORCH_FAKE"] = fake;
    const lines: string[] = [];
    const tell = (line: string): number => lines.push(line);
    await using classifier = await createClassifier({
      ...UNTRAINED,
      python,
      logger: { debug: tell, info: tell, warn: tell, error: tell },
    });
    const info = workerInfo(classifier);
    const { attestation } = info;
    expect(attestation.worker.every((name) => left.test(name))).toBe(true);
    expect(attestation.node.some((name) => left.test(name))).toBe(false);
    expect(attestation.worker.length > 0 || attestation.resize["resize-bilinear-down"] === "vertical").toBe(
      true,
    );
    expect(lines.filter((line) => line.startsWith("Compared"))).toHaveLength(1);

    await using plain = await Reference.start({
      python,
      variables: {},
      device: "cpu",
      ...sameNetwork(info),
    });
    let differing = 0;
    for (const name of pictures) {
      const path = join(folder, name);
      const traced = (await plain.trace(path)) as Traced;
      const isConcerned = (concerned as readonly string[]).includes(name);
      // Of the others the tensor says it all.
      for (const handoff of isConcerned ? (["tensor", "pixels", "encoded"] as const) : []) {
        const { logits } = await classifier.classifyDetailed(path, { handoff, include: { logits: true } });
        expect(
          differences(bytesOf(logits!), bytesOf(traced.arrays.logits!.data as Float32Array)),
          `${name} ${handoff}`,
        ).toBe(0);
      }
      const tensor = await classifier.preprocess(path);
      const wanted = bytesOf(traced.arrays.normalized!.data as Float32Array);
      expect(differences(bytesOf(tensor.data), wanted)).toBe(0);
      // The control: what Node would have made without having asked.
      const unasked = await prepare({
        source: { kind: "encoded", bytes: readFileSync(path) },
        spec: classifier.info().spec,
        attestation: referenceAttestation(),
        limits: DEFAULT_LIMITS,
        decode: {},
        want: { encoded: false, pixels: false, cropped: false, tensor: true },
      });
      const differs = differences(bytesOf(unasked.tensor!.data), wanted) > 0;
      expect(differs, name).toBe(isConcerned);
      if (differs) differing += 1;
    }
    expect(differing).toBe(concerned.length);
    const { node, worker } = classifier.stats().preprocessed;
    expect(node + worker).toBe(3 * concerned.length);
  });
});

function pictureNames(): readonly string[] {
  return ["palette.png", "photo.jpg", "tall.jpg", "tall.png", "wide.webp"];
}
