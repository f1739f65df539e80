/** A process whose addresses are limited, as clusters and shared computers do it: `ulimit -v`. */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { CACHE_DIR, MODEL } from "../checkpoint.ts";
import { ran } from "../processes.ts";
import { PYTHON } from "../python.ts";
import { STANDIN } from "../standin.ts";
import { DOG } from "./cli.ts";

const LIBRARY = new URL("../../dist/index.js", import.meta.url).href;
const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const programWith = (python: unknown): string => `
  const { classify, createClassifier, preprocess, IsotorchError } = await import(${JSON.stringify(LIBRARY)});
  const options = ${JSON.stringify({ python, model: MODEL, weights: "untrained:0", cacheDir: CACHE_DIR })};
  const picture = ${JSON.stringify(DOG)};
  const stub = { ...options, python: ${JSON.stringify(STANDIN.python)} };
  const here = { python: stub.python };
  for (const call of [() => preprocess(picture, here), () => classify(picture, options), () => createClassifier(stub)]) {
    const error = await call().then(() => undefined, (reason) => reason);
    console.log(error instanceof IsotorchError && error.code);
  }`;

describe.runIf(process.platform === "linux" && process.arch === "x64")("with addresses limited to", () => {
  // Too few for WebAssembly; for sharp; for ZeroMQ. All of these are Node's; what the real worker says first is
  // looked at where it has enough for PyTorch, and where it has not.
  test.each([
    [10_000, PYTHON],
    [4_000, STANDIN.python],
    [2_200, STANDIN.python],
    [2_000, STANDIN.python],
    [1_800, PYTHON],
  ])("%i MB every call ends with a typed error", async (megabytes, python) => {
    const limited = `ulimit -v ${megabytes * 1000} && exec "$@"`;
    const run = (...args: readonly string[]): ReturnType<typeof ran> =>
      ran("/bin/sh", ["-c", limited, "sh", process.execPath, ...args]);
    const program = await run("--input-type=module", "-e", programWith(python));
    expect(program).toMatchObject({ code: 0, stdout: "OUT_OF_MEMORY\n".repeat(3) });
    const network = ["--model", MODEL, "--weights", "untrained:0"];
    const command = await run(CLI, "classify", DOG, "--python", String(python), ...network);
    expect(command.code).toBe(5);
    expect(command.stderr).toMatch(/^isotorch: OUT_OF_MEMORY: .*\n {2}.*ulimit -v/m);
  });
});
