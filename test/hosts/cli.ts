import { fileURLToPath } from "node:url";
import { ran } from "../processes.ts";
import type { Ended } from "../processes.ts";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const FIXTURES = new URL("../fixtures/hosts/", import.meta.url);

export const DOG: string = fileURLToPath(new URL("../../examples/images/dog.webp", import.meta.url));

/** Runs `isotorch` with no more of the environment than is given. @param preload a program of the fixtures before it. */
export function isotorch(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  preload?: string,
): Promise<Ended> {
  const before = preload === undefined ? [] : ["--import", new URL(preload, FIXTURES).href];
  const environment = { PATH: process.env["PATH"], ...env };
  return ran(process.execPath, [...before, CLI, ...args], { env: environment });
}
