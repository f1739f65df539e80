/** The built-in pictures: one for each kind, and each shows what decoders may do differently. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { decode } from "../../src/image/decode/decode.ts";
import { readHeader } from "../../src/image/format.ts";
import { KINDS } from "../../src/image/headers/kinds.ts";
import { Oracle } from "./oracle.ts";
import { differences } from "./random.ts";
import { PYTHON } from "../python.ts";

const FOLDER = new URL("../../models/attestation/", import.meta.url);
const files = readdirSync(FOLDER).filter((name) => !name.endsWith(".json"));
const read = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FOLDER)));
const stem = (name: string): string => name.slice(0, name.lastIndexOf("."));
const turned = files.filter((name) => name.startsWith("orientation-"));
const pictures = files.filter((name) => !turned.includes(name));

const oracle = new Oracle();
afterAll(() => oracle[Symbol.asyncDispose]());

describe("the built-in pictures", () => {
  it("are one for each kind, under its name, and small", () => {
    expect(pictures.map(stem).toSorted()).toEqual([...KINDS].toSorted());
    for (const name of pictures) expect(readHeader(read(name)).kind, name).toBe(stem(name));
    expect(files.reduce((sum, name) => sum + read(name).length, 0)).toBeLessThan(110_000);
  });

  it("have Pillow's bytes, each of them", async () => {
    for (const name of files) {
      const want = await oracle.decode(read(name));
      if ("error" in want) throw new Error(`${name}: ${want.error}`);
      const got = await decode(read(name));
      expect([got.width, got.height], name).toEqual([want.pixels.width, want.pixels.height]);
      expect(differences(got.data, want.pixels.data), name).toBe(0);
    }
  });

  it("hold all eight orientations, turned as Pillow turns them", async () => {
    expect(turned.map(stem)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((number) => `orientation-${number}`));
    for (const name of turned) {
      const { orientation, width, height } = readHeader(read(name));
      expect(stem(name)).toBe(`orientation-${orientation}`);
      expect(width).not.toBe(height);
      const want = await oracle.decode(read(name), "apply");
      const got = await decode(read(name), { exif: "apply" });
      expect("pixels" in want && differences(got.data, want.pixels.data), name).toBe(0);
    }
  });

  it("have every coefficient in the progressive ones too", async () => {
    for (const name of pictures.filter((file) => file.endsWith("-progressive.jpg"))) {
      const [all, baseline] = [
        await decode(read(name)),
        await decode(read(name.replace("-progressive", ""))),
      ];
      expect(differences(all.data, baseline.data), name).toBe(0);
    }
  });

  it("use every coefficient of every component, small and large", () => {
    const script = fileURLToPath(new URL("../../python/corpus/make_attestation.py", import.meta.url));
    const said = execFileSync(PYTHON, [script, "--coefficients"], { encoding: "utf8" });
    const rows = said.trim().split("\n");
    expect(rows).toHaveLength(13);
    for (const row of rows) {
      const [name, fewest, smallest, largest] = row.split(" ");
      expect(Number(fewest), name).toBeGreaterThanOrEqual(5);
      expect(Number(smallest), name).toBe(1);
      expect(Number(largest), name).toBeGreaterThanOrEqual(1000);
    }
  });

  it("are what the script writes", () => {
    const script = fileURLToPath(new URL("../../python/corpus/make_attestation.py", import.meta.url));
    const said = execFileSync(PYTHON, [script, "--check", fileURLToPath(FOLDER)], { encoding: "utf8" });
    expect(said.trim()).toBe("");
  });
});
