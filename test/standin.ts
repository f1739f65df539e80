/** Classifiers with a stub in the worker's place: what is Node's affair needs no network, and starts ten times as fast. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
// @ts-expect-error -- a script without types
import { standin } from "../scripts/chaos/standin.mjs";
import type { ClassifierOptions } from "../src/classification/options.ts";
import { UNTRAINED } from "./checkpoint.ts";

const folder = mkdtempSync(join(tmpdir(), "standin-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As {@link UNTRAINED}, of the network that the stub says it has; its answer to a picture is one class, whose score is a digest of the tensor. */
export const STANDIN: ClassifierOptions = {
  ...UNTRAINED,
  model: "resnet101",
  python: (standin as (folder: string) => string)(folder),
};
