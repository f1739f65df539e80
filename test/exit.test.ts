import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CACHE_DIR } from "./checkpoint.ts";
import { processesWith } from "./processes.ts";
import { PYTHON } from "./python.ts";

const INDEX = new URL("../dist/index.js", import.meta.url).href;
const EXAMPLES = fileURLToPath(new URL("../examples/images/", import.meta.url));
const IMAGE = JSON.stringify(join(EXAMPLES, readdirSync(EXAMPLES).toSorted()[0] ?? ""));
const OPTIONS = JSON.stringify({ weights: "untrained:0", cacheDir: CACHE_DIR, threads: 2, python: PYTHON });

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exit-test-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a script with a temporary directory of its own; `printed` are the milliseconds at which it printed. */
async function runScript(body: string): Promise<{
  status: number | null;
  stdout: string;
  stderr: string;
  afterAnswerMs: number;
}> {
  const script = join(folder, "script.mjs");
  writeFileSync(script, `import { classify, createClassifier } from ${JSON.stringify(INDEX)};\n${body}`);
  const temporary = mkdtempSync(join(folder, "tmp-"));
  const result = spawnSync(process.execPath, [script], {
    encoding: "utf8",
    timeout: 50_000,
    env: { ...process.env, TMPDIR: temporary },
  });
  const ended = Date.now();
  const answered = Number(/answered at (\d+)/.exec(result.stdout)?.[1]);
  expect(readdirSync(temporary), "temporary files").toEqual([]);
  // The system needs a moment to take a killed process off its list.
  await expect.poll(() => processesWith(temporary), { message: "processes", timeout: 2_000 }).toEqual([]);
  return { ...result, afterAnswerMs: ended - answered };
}

test("a script that calls classify() once ends by itself within 2 s of its answer and leaves nothing", async () => {
  const { status, stdout, stderr, afterAnswerMs } = await runScript(`
    const top = await classify(${IMAGE}, ${OPTIONS});
    console.log(top.length, "classes, answered at", Date.now());
  `);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).toContain("5 classes");
  expect(afterAnswerMs).toBeLessThan(2_000);
});

test("so does one that forgets to close its classifier", async () => {
  const { status, afterAnswerMs } = await runScript(`
    const classifier = await createClassifier(${OPTIONS});
    await classifier.classify(${IMAGE});
    console.log("answered at", Date.now());
  `);
  expect(status).toBe(0);
  expect(afterAnswerMs).toBeLessThan(2_000);
});

test("calls of classify() with the same options share one worker", async () => {
  const { stdout } = await runScript(`
    const [a, b] = await Promise.all([classify(${IMAGE}, ${OPTIONS}), classify(${IMAGE}, ${OPTIONS})]);
    const { readdirSync } = await import("node:fs");
    const sockets = readdirSync(process.env.TMPDIR).length;
    console.log(sockets, "worker,", JSON.stringify(a) === JSON.stringify(b) ? "same" : "different");
  `);
  expect(stdout).toContain("1 worker, same");
});

test("process.exit() in the middle of a call, and an uncaught exception, take the worker along", async () => {
  const exited = await runScript(
    `void classify(${IMAGE}, ${OPTIONS}); setTimeout(() => process.exit(3), 400);`,
  );
  expect(exited.status).toBe(3);
  const { status } = await runScript(`
    const classifier = await createClassifier(${OPTIONS});
    void classifier.classify(${IMAGE});
    throw new Error("boom");
  `);
  expect(status).toBe(1);
});

const TENSOR = "{ data: new Float32Array(3 * 224 * 224), shape: [1, 3, 224, 224] }";
const MEMBERS: Readonly<Record<string, string>> = {
  "nothing at all": "",
  "classify(tensor)": `await classifier.classify(${TENSOR});`,
  "classify(list)": `await classifier.classify([${IMAGE}, ${TENSOR}]);`,
  "classify(), not awaited": `void classifier.classify(${IMAGE}).then(() => console.log("answered at", Date.now()));`,
  "classifySettled()": `await classifier.classifySettled([${IMAGE}, "missing.jpg"]);`,
  "classifyDetailed()": `await classifier.classifyDetailed(${IMAGE}, { include: { logits: true, tensor: true } });`,
  "classifyStream(), left": `for await (const _ of classifier.classifyStream([${IMAGE}, ${IMAGE}])) break;`,
  "preprocess()": `await classifier.preprocess(${IMAGE});`,
  "models()": "await classifier.models();",
  "info()": "classifier.info();",
  "health()": "classifier.health();",
  "stats()": "classifier.stats();",
  "on()": 'classifier.on("state", () => undefined);',
  "reload()": "await classifier.reload({});",
  "close()": "await classifier.close();",
  "asyncDispose, right after a call": `void classifier.classify(${IMAGE}).then(() => console.log("answered at", Date.now()));
    await classifier[Symbol.asyncDispose]();`,
  "a first failure of the input": 'await classifier.classify("missing.jpg").catch(() => undefined);',
  "a first failure of the options":
    "await classifier.classify(new Uint8Array(), { topK: -1 }).catch(() => undefined);",
  "a tensor that is refused":
    "await classifier.classify({ data: new Float32Array(3), shape: [1, 3, 1, 1] }).catch(() => undefined);",
  "an abort": `await classifier.classify(${IMAGE}, { signal: AbortSignal.abort() }).catch(() => undefined);`,
};

test.each(Object.entries(MEMBERS))("a script ends by itself after %s, alone", async (_name, body) => {
  const { status, stderr, stdout } = await runScript(`
    const classifier = await createClassifier(${OPTIONS});
    ${body}
    console.log("done");
  `);
  expect(stderr).toBe("");
  expect(stdout).toContain("done");
  expect(stdout.includes("answered")).toBe(body.includes("answered"));
  expect(status).toBe(0);
});
