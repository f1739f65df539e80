/** The TypeScript of the documentation: compiled together, strictly, and then run with the network replaced by an answer. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BLOCKS, ROOT } from "./blocks.ts";
import type { Block } from "./blocks.ts";
import { ofTest } from "../processes.ts";

const SAMPLES = BLOCKS.filter(({ language, notRun }) => language === "ts" && notRun === undefined);
const PHOTO = readFileSync(join(ROOT, "examples/images/landscape.jpg"));

/** For what never ends. */
const GUARD_MS = 200_000;

let project: string;
let compiler: { readonly status: number | null; readonly stdout: string };
beforeAll(() => {
  mkdirSync(join(ROOT, "node_modules/.cache"), { recursive: true });
  // Below this project, so that frameworks are found.
  project = mkdtempSync(join(ROOT, "node_modules/.cache/docs-"));
  install("isotorch", {
    exports: {
      ".": { types: "./dist/index.d.ts", default: "./standin.js" },
      "./server": { types: "./dist/server.d.ts", default: "./dist/server.js" },
      "./tokenizer": { types: "./dist/tokenizer.d.ts", default: "./dist/tokenizer.js" },
      "./testing": { types: "./dist/testing.d.ts", default: "./dist/testing.js" },
    },
  });
  symlinkSync(join(ROOT, "dist"), join(project, "node_modules/isotorch/dist"));
  symlinkSync(join(ROOT, "models"), join(project, "node_modules/isotorch/models"));
  // Not a link: what it imports is to be looked for here.
  copyFileSync(join(ROOT, "test/docs/standin.js"), join(project, "node_modules/isotorch/standin.js"));
  install("electron", { main: "index.js", types: "index.d.ts" });
  for (const name of ["index.js", "index.d.ts"])
    copyFileSync(join(ROOT, `test/docs/electron/${name}`), join(project, "node_modules/electron", name));

  write("package.json", '{ "type": "module" }');
  write("ambient.d.ts", AMBIENT);
  for (const block of SAMPLES) write(`src/${nameOf(block)}`, `${block.text}\nexport {};\n`);
  const compilerOptions = {
    target: "es2023",
    module: "nodenext",
    lib: ["es2023", "esnext.disposable", "dom", "dom.asynciterable"],
    types: ["node"],
    typeRoots: [join(ROOT, "node_modules/@types")],
    strict: true,
    allowImportingTsExtensions: true,
    rewriteRelativeImportExtensions: true,
    skipLibCheck: true,
    rootDir: "src",
    outDir: "out",
  };
  write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["src", "ambient.d.ts"] }));
  const args = [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", project];
  compiler = spawnSync(process.execPath, args, { encoding: "utf8", cwd: project });
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** What short samples use without saying where it comes from. */
const AMBIENT = `declare global {
  const classifier: import("isotorch").Classifier;
  const createClassifier: typeof import("isotorch").createClassifier;
  const classify: typeof import("isotorch").classify;
  const createGenerator: typeof import("isotorch").createGenerator;
  const IsotorchError: typeof import("isotorch").IsotorchError;
  const skip: () => void;
  const createFakeClassifier: typeof import("isotorch/testing").createFakeClassifier;
  const recordCassette: typeof import("isotorch/testing").recordCassette;
}
export {};
`;

const PRELUDE = `import * as isotorch from "isotorch";
import * as testing from "isotorch/testing";
Object.assign(globalThis, isotorch, testing, { skip: () => undefined });
globalThis.classifier = await isotorch.createClassifier();
`;

function install(name: string, manifest: object): void {
  write(
    `node_modules/${name}/package.json`,
    JSON.stringify({ name, version: "0.0.0", type: "module", ...manifest }),
  );
}

function write(name: string, text: string | Uint8Array): void {
  const file = join(project, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function nameOf({ place, page, title }: Block): string {
  const folder = page.replaceAll(/[^\w]/g, "-");
  return title === undefined ? `${folder}/line-${place.split(":")[1]}.ts` : `${folder}/${title}`;
}

/** The compiled file of a sample. */
const compiledOf = (name: string): string => join(project, "out", name.replace(/\.ts$/, ".js"));

test("all samples compile", () => {
  expect(SAMPLES.length).toBeGreaterThan(10);
  expect(compiler.stdout).toBe("");
  expect(compiler.status).toBe(0);
});

describe("the sample runs, and prints what its comments say:", () => {
  // Those with a title are files of an application; they are run below, or by test/testing.test.ts.
  test.each(SAMPLES.filter(({ title }) => title === undefined).map((block) => [block.place, block] as const))(
    "%s",
    (_, block) => {
      const folder = mkdtempSync(join(project, "run-"));
      mkdirSync(join(folder, "test"));
      for (const name of ["bobby.jpg", "dog.jpg", "photo.jpg", "a.jpg", "b.png", "broken.jpg"])
        writeFileSync(join(folder, name), PHOTO);
      writeFileSync(join(folder, "notes.txt"), "Not a picture.");
      writeFileSync(join(project, "prelude.js"), PRELUDE);
      writeFileSync(join(folder, "test/answers.json"), '{ "version": 1, "entries": [] }');
      const run = spawnSync(
        process.execPath,
        ["--import", join(project, "prelude.js"), compiledOf(nameOf(block))],
        {
          cwd: folder,
          encoding: "utf8",
          timeout: GUARD_MS,
        },
      );
      expect(run.status, run.stderr).toBe(0);
      for (const [, expected = ""] of block.text.matchAll(/console\.log\(.*\); \/\/ (.+)/g))
        expect(run.stdout).toContain(expected);
    },
  );
});

describe("the recipe works:", () => {
  /** Starts a server on a free port, which ends with its test, and answers with it and its address. */
  async function start(title: string): Promise<{ server: ChildProcess; address: string }> {
    const server = spawn(process.execPath, [compiledOf(`docs-recipes-md/${title}`)], {
      env: { ...process.env, PORT: "0" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    ofTest(server);
    let printed = "";
    server.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
    await expect.poll(() => printed).toMatch(/http:\/\/127\.0\.0\.1:\d+\n/);
    return { server, address: printed.trim() };
  }

  const post = (address: string, body: Uint8Array<ArrayBuffer>): Promise<Response> =>
    fetch(`${address}/classify`, { method: "POST", body, headers: { "content-type": "image/jpeg" } });

  test.each(["express.ts", "fastify.ts"])("%s", async (title) => {
    const { address } = await start(title);
    const good = await post(address, new Uint8Array(PHOTO));
    expect(good.status).toBe(200);
    expect(await good.json()).toMatchObject([
      { label: "golden retriever", percent: 96.29334259033203 },
      {},
      {},
      {},
      {},
    ]);
    const bad = await post(address, new TextEncoder().encode("Not a picture."));
    expect(bad.status).toBe(422);
    expect(await bad.json()).toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });

  test.each(["express.ts", "fastify.ts"])(
    "%s ends by itself after SIGTERM, its classifier closed, as soon as it has said where it is",
    async (title) => {
      const { server } = await start(title);
      const exit = once(server, "exit");
      server.kill("SIGTERM");
      expect(await exit).toEqual([0, null]);
    },
  );

  test("app/classify/route.ts", async () => {
    const { POST } = (await import(compiledOf("docs-recipes-md/app/classify/route.ts"))) as {
      POST: (request: Request) => Promise<Response>;
    };
    const ask = (body: Buffer | string): Promise<Response> =>
      POST(new Request("http://localhost/classify", { method: "POST", body }));
    // A start that failed is not kept: the next request starts another one.
    Object.assign(globalThis, { failingStarts: 1 });
    expect(await (await ask(PHOTO)).json()).toMatchObject({ code: "ENVIRONMENT_NOT_FOUND" });
    expect(await (await ask(PHOTO)).json()).toMatchObject([{ label: "golden retriever" }, {}, {}, {}, {}]);
    expect((await ask("Not a picture.")).status).toBe(422);
  });

  test("main.ts", () => {
    const run = spawnSync(process.execPath, [compiledOf("docs-recipes-md/main.ts")], {
      cwd: project,
      encoding: "utf8",
      timeout: GUARD_MS,
    });
    expect(run.status, run.stderr).toBe(0);
    expect(run.stdout).toContain('classify answered [{"label":"golden retriever"');
    expect(run.stdout).toContain("quit let through once, after the classifier was closed");
  });

  test("million.ts", () => {
    const folder = mkdtempSync(join(project, "million-"));
    mkdirSync(join(folder, "pictures/2024"), { recursive: true });
    for (const name of ["a.jpg", "b.jpg", "2024/c.jpg"]) writeFileSync(join(folder, "pictures", name), PHOTO);
    writeFileSync(join(folder, "pictures/broken.jpg"), "Not a picture.");
    const again = (): string[] => {
      const run = spawnSync(
        process.execPath,
        [compiledOf("docs-recipes-md/million.ts"), "pictures", "answers.jsonl"],
        { cwd: folder, encoding: "utf8", timeout: GUARD_MS },
      );
      expect(run.status, run.stderr).toBe(0);
      return readFileSync(join(folder, "answers.jsonl"), "utf8").trim().split("\n");
    };
    const lines = again().map(
      (line) => JSON.parse(line) as { input: string; top?: object[]; error?: { code: string } },
    );
    expect(lines.map(({ input }) => input.replaceAll("\\", "/")).toSorted()).toEqual([
      "pictures/2024/c.jpg",
      "pictures/a.jpg",
      "pictures/b.jpg",
      "pictures/broken.jpg",
    ]);
    expect(lines.filter(({ top }) => top?.length === 5)).toHaveLength(3);
    expect(lines.find(({ error }) => error)?.error?.code).toBe("UNSUPPORTED_FORMAT");
    expect(again(), "nothing is classified twice").toHaveLength(4);
  });
});
