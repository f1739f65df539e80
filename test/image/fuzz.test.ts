/** A small, always equal run of `npm run fuzz:decode`. */
import { afterAll, expect, it } from "vitest";
import { decode, type DecodeOptions } from "../../src/image/decode/decode.ts";
import { doubtOf, readHeader } from "../../src/image/format.ts";
import { Oracle } from "./oracle.ts";

const SCRIPTS = new URL("../../scripts/fuzz/", import.meta.url);

/** What the scripts export; they are JavaScript. */
interface Fuzz {
  readonly fuzzDecode: (run: object) => Promise<Readonly<Record<string, number>>>;
  readonly fuzzFiles: () => Promise<readonly object[]>;
  readonly FAULTS: readonly string[];
}

const oracle = new Oracle();
afterAll(() => oracle[Symbol.asyncDispose]());

/** Pillow's answer in the form that the scripts expect. */
async function pillow(bytes: Uint8Array, exif: "ignore" | "apply"): Promise<object> {
  const verdict = await oracle.decode(bytes, exif);
  return "error" in verdict ? verdict : { ...verdict.pixels, mode: verdict.mode };
}

it("files with changed structure get Pillow's bytes, or go to Pillow", async () => {
  const [{ fuzzDecode, FAULTS }, { fuzzFiles }]: [Fuzz, Fuzz] = await Promise.all([
    import(new URL("decode.mjs", SCRIPTS).href),
    import(new URL("files.mjs", SCRIPTS).href),
  ]);
  const faults: string[] = [];
  const decoder = {
    readHeader,
    doubtOf,
    decode: (bytes: Uint8Array, options: DecodeOptions) => decode(bytes, options),
    pillow,
  };
  const run = { files: await fuzzFiles(), decoder, seed: 17, count: 600 };
  const counts = await fuzzDecode({ ...run, onFault: (sentence: string) => faults.push(sentence) });
  expect(faults).toEqual([]);
  for (const fault of FAULTS) expect(counts[fault]).toBe(0);
  expect(counts["equal"]).toBeGreaterThan(200);
});
