import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const FIXTURES = new URL("../fixtures/hosts/", import.meta.url);

export const DOG: string = fileURLToPath(new URL("../../examples/images/dog.webp", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. @param env its whole environment. */
export function ended(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
    }
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...texts }));
  });
}

/** Runs `isotorch` with no more of the environment than is given. @param preload a program of the fixtures before it. */
export function isotorch(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  preload?: string,
): Promise<Ended> {
  const before = preload === undefined ? [] : ["--import", new URL(preload, FIXTURES).href];
  return ended(process.execPath, [...before, CLI, ...args], { PATH: process.env["PATH"], ...env });
}
