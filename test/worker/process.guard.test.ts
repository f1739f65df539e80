import { expect, test } from "vitest";
import { WorkerProcess } from "../../src/worker/process.ts";
import { PYTHON } from "../python.ts";

test("of one endless line on stderr the last 64 KiB are kept", async () => {
  const script = "import sys; sys.stderr.write('x' * 3_000_000 + 'the end')";
  const worker = new WorkerProcess({ python: PYTHON, args: ["-c", script], variables: {}, startLine: "{}" });
  const { stderr } = await worker.exited;
  expect(stderr.length).toBe(64 * 1024);
  expect(stderr.endsWith("the end")).toBe(true);
});
