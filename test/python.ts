import { readRecord } from "../src/worker/recorded.ts";
import { surroundings } from "../src/worker/surroundings.ts";

/** The interpreter that the tests use: `ISOTORCH_PYTHON`, the one that `isotorch setup` recorded, or Debian's own. */
export const PYTHON: string =
  process.env["ISOTORCH_PYTHON"] ?? (await readRecord(surroundings()))?.python ?? "/usr/bin/python3";
