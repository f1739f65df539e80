import { readRecord } from "../src/python/recorded.ts";
import { surroundings } from "../src/python/surroundings.ts";

/** The interpreter that the tests use: `ISOTORCH_PYTHON`, the one that `isotorch setup` recorded, or Debian's own. */
export const PYTHON: string =
  process.env["ISOTORCH_PYTHON"] ?? (await readRecord(surroundings()))?.python ?? "/usr/bin/python3";
