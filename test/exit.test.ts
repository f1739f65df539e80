import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { UNTRAINED } from "./checkpoint.ts";
import { EXPORTS, IMAGE, MEMBERS, OPTIONS } from "./exit/members.ts";
import { ended, processesWith } from "./processes.ts";
import { STANDIN } from "./standin.ts";

const [INDEX, SERVER, TESTING, TOKENIZER] = ["index", "server", "testing", "tokenizer"].map(
  (name) => new URL(`../dist/${name}.js`, import.meta.url).href,
);
/** The Node that runs the scripts; `npm run test:nodes` names others. */
const NODE = process.env["ISOTORCH_TEST_NODE"] ?? process.execPath;

const folder = mkdtempSync(join(tmpdir(), "exit-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** How a script ends is Node's side: most of them have a stub in the worker's place. `npm run test:nodes` gives all of them one. */
const WORKER = process.env["ISOTORCH_TEST_WORKER"];
const STUB = { ...STANDIN, ...(WORKER !== undefined && { python: WORKER }) };
const REAL = WORKER === undefined ? UNTRAINED : STUB;

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly afterAnswerMs: number;
}

const realScript = (body: string): Promise<Run> => runScript(body, REAL);

/** Runs a script with a temporary directory of its own. */
async function runScript(body: string, options: object = STUB): Promise<Run> {
  const temporary = mkdtempSync(join(folder, "tmp-"));
  const script = `${temporary}.mjs`;
  const imports = [
    'import { createReadStream } from "node:fs";',
    `import { classify, createClassifier, createGenerator, preprocess, IsotorchError, ERROR_CODES } from "${INDEX}";`,
    ...(/createServer/.test(body) ? [`import { createServer } from "${SERVER}";`] : []),
    ...(/Fake|Cassette/.test(body)
      ? [`import { createFakeClassifier, createFakeGenerator, recordCassette } from "${TESTING}";`]
      : []),
    ...(/Tokenizer/.test(body) ? [`import { Tokenizer } from "${TOKENIZER}";`] : []),
    `const ${OPTIONS} = ${JSON.stringify(options)};`,
  ];
  writeFileSync(script, [...imports, body].join("\n"));
  const child = spawn(NODE, [script], {
    env: { ...process.env, TMPDIR: temporary, CASSETTE: `${temporary}.json` },
    timeout: 200_000,
  });
  const { code: status, stdout, stderr } = await ended(child);
  const over = Date.now();
  const answered = Number(/answered at (\d+)/.exec(stdout)?.[1]);
  expect(readdirSync(temporary), "temporary files").toEqual([]);
  // The system needs a moment to take a killed process off its list.
  await vi.waitFor(() => expect(processesWith(temporary), "processes").toEqual([]), { timeout: 60_000 });
  return { status, stdout, stderr, afterAnswerMs: over - answered };
}

test("a script that calls classify() once ends by itself within 2 s of its answer and leaves nothing", async () => {
  const { status, stdout, stderr, afterAnswerMs } = await realScript(`
    const top = await classify(${IMAGE}, ${OPTIONS});
    console.log(top.length, "classes, answered at", Date.now());
  `);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  expect(stdout).toMatch(/\d classes/);
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
  const exited = await realScript(`
    const { readdirSync } = await import("node:fs");
    void classify(${IMAGE}, ${OPTIONS});
    const hasSocket = () => readdirSync(process.env.TMPDIR, { recursive: true }).some((name) => name.endsWith("w"));
    while (!hasSocket()) await new Promise((resolve) => setTimeout(resolve, 10));
    setTimeout(() => process.exit(3), 200);
  `);
  expect(exited.status).toBe(3);
  const { status } = await runScript(`
    const classifier = await createClassifier(${OPTIONS});
    void classifier.classify(${IMAGE});
    throw new Error("boom");
  `);
  expect(status).toBe(1);
});

test("close() ends the worker", async () => {
  const { status, stderr, stdout } = await realScript(`
    const classifier = await createClassifier(${OPTIONS});
    console.log((await classifier.classify(${IMAGE})).length);
    await classifier.close();
  `);
  expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: "", stdout: "5\n" });
});

test.concurrent.each(casesOf(MEMBERS))("a script ends by itself after %s, alone", async (_name, body) => {
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

test.concurrent.each(casesOf(EXPORTS))("a script ends by itself after %s", async (_name, body) => {
  const { status, stderr, stdout } = await runScript(`${body}\nconsole.log("done");`);
  expect(stderr).toBe("");
  expect(stdout).toContain("done");
  expect(status).toBe(0);
});

test("there is a case for each member and each export that the package has", async () => {
  const types = readFileSync(new URL("../dist/classification/classifier.d.ts", import.meta.url), "utf8");
  const body = /interface Classifier extends AsyncDisposable \{\n([\s\S]*?)\n\}/.exec(types)?.[1] ?? "";
  const members = new Set([...body.matchAll(/^ {4}(\w+)\??[(:]/gm)].map(([, name = ""]) => name));
  expect(members.size).toBeGreaterThan(10);
  expect(Object.keys(MEMBERS).toSorted()).toEqual([...members].toSorted());
  const entries = ["index", "server", "testing", "tokenizer"].map(
    (name) => import(`../dist/${name}.js`) as Promise<object>,
  );
  const exported = (await Promise.all(entries)).flatMap((entry) => Object.keys(entry));
  expect(Object.keys(EXPORTS).toSorted()).toEqual([...new Set(exported)].toSorted());
});

/** Every case with its name, of whatever kind its owner is. */
function casesOf(
  owners: Readonly<Record<PropertyKey, Readonly<Record<string, string>>>>,
): [string, string][] {
  return Reflect.ownKeys(owners).flatMap((owner) => Object.entries(owners[owner] ?? {}));
}
