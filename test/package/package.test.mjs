/**
 * The package as a user gets it: packed, checked by publint and are-the-types-wrong, installed from the npm registry into an
 * empty folder outside the repository, used from TypeScript, from JavaScript and as a command. Needs the npm registry.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const bin = (name) => join(ROOT, "node_modules/.bin", name);

let project;
let tarball;
let files;
before(() => {
  project = mkdtempSync(join(tmpdir(), "isotorch package test "));
  const [packed] = JSON.parse(
    run(ROOT, "npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", project]),
  );
  tarball = join(project, packed.filename);
  files = packed.files.map(({ path }) => path);
  const photo = join(ROOT, "examples/images/landscape.jpg");
  copyFileSync(photo, join(project, "photo.jpg"));
  run(project, "npm", ["init", "--yes"]);
  run(project, "npm", ["install", "--engine-strict", "--no-audit", "--no-fund", tarball]);
});
after(() => {
  rmSync(project, { recursive: true, force: true });
});

/** Runs a command to its end. Windows starts npm, npx and linked commands by its shell, which splits words at blanks. */
function start(file, args, options) {
  const isWindows = process.platform === "win32";
  const [command, ...words] = isWindows ? [file, ...args].map((word) => `"${word}"`) : [file, ...args];
  return spawnSync(command, words, { encoding: "utf8", shell: isWindows, ...options });
}

/** What the command printed. @throws where it ended with another code. */
function run(cwd, file, args, code = 0) {
  const result = start(file, args, { cwd });
  assert.equal(result.status, code, `${file} ${args.join(" ")}\n${result.stdout}\n${result.stderr}`);
  return result.stdout;
}

void test("publint has no remark, and every way of importing it finds its types", () => {
  run(ROOT, bin("publint"), ["--strict", tarball]);
  run(ROOT, bin("attw"), [tarball, "--profile", "esm-only"]);
});

void test("it is as small as the README says, with nothing in it that is not needed", () => {
  const [, limit] = /under (\d+) kB/.exec(readFileSync(join(ROOT, "README.md"), "utf8"));
  assert.ok(statSync(tarball).size < Number(limit) * 1000, `${statSync(tarball).size} bytes`);
  const needless = files.filter((path) =>
    /(^|\/)(test|scripts|bench|docs|src|examples)\/|\.map$|\.pth$/.test(path),
  );
  assert.deepEqual(needless, []);
  for (const needed of [
    "README.md",
    "LICENSE",
    "env.yml",
    "env.specs.txt",
    "python/isotorch_worker/__main__.py",
    "models/torchvision.json",
    "models/vocab.bpe",
    "models/vocab.bpe.LICENSE.txt",
    "models/tiny/model.safetensors",
    "models/tiny/config.json",
    "models/tiny/merges.txt",
  ])
    assert.ok(files.includes(needed), needed);
});

const PROGRAM = `import { ERROR_CODES, IsotorchError, createClassifier, preprocess } from "isotorch";
import { createFakeClassifier } from "isotorch/testing";
`;

void test("it is used from TypeScript, its declarations checked as strictly as can be", () => {
  writeFileSync(
    join(project, "program.ts"),
    `${PROGRAM}import type { Classification, Classifier, Tensor } from "isotorch";
const classifier: Classifier = await createFakeClassifier(() => [{ index: 207, score: 0.96 }]);
const [best]: Classification[] = await classifier.classify("dog.jpg", { topK: 1 });
const tensor: Tensor = await preprocess("photo.jpg");
const open: () => Promise<Classifier> = () => createClassifier({ weights: "untrained:0" });
// @ts-expect-error an unknown option is seen by the compiler
void createClassifier({ weight: "untrained:0" });
console.log(best?.label, tensor.shape, ERROR_CODES.length, open, IsotorchError);
`,
  );
  const options = {
    strict: true,
    module: "nodenext",
    target: "es2023",
    noEmit: true,
    skipLibCheck: false,
    types: [],
  };
  const typeRoots = [join(ROOT, "node_modules/@types")];
  const compilerOptions = { ...options, lib: ["es2023", "esnext.disposable"], types: ["node"], typeRoots };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["program.ts"] }));
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ ...JSON.parse(readFileSync(join(project, "package.json"))), type: "module" }),
  );
  run(project, process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", project]);
});

void test("it is used from JavaScript, and preprocesses without Python", () => {
  writeFileSync(
    join(project, "program.mjs"),
    `${PROGRAM}const tensor = await preprocess("photo.jpg");
const fake = await createFakeClassifier(() => [{ index: 207, label: "golden retriever", score: 0.96 }]);
const [best] = await fake.classify("photo.jpg");
console.log(JSON.stringify([tensor.shape, tensor.data.every(Number.isFinite), best.label, typeof createClassifier]));
const error = await fake.classify("photo.jpg", { topk: 1 }).catch((reason) => reason);
console.log(error instanceof IsotorchError, ERROR_CODES.includes(error.code));
`,
  );
  const printed = run(project, process.execPath, ["program.mjs"]);
  assert.equal(printed, '[[1,3,224,224],true,"golden retriever","function"]\ntrue true\n');
});

void test("the command runs: its version, its help, its completion, a picture's tensor", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  assert.equal(run(project, "npx", ["isotorch", "--version"]), `${version}\n`);
  assert.match(run(project, "npx", ["isotorch", "--help"]), /^ {2}classify +\S/m);
  assert.match(run(project, "npx", ["isotorch", "completion", "bash"]), /complete .* isotorch/);
  run(project, "npx", ["isotorch", "preprocess", "photo.jpg", "--out", "photo.npy"]);
  assert.equal(statSync(join(project, "photo.npy")).size, 128 + 602_112);
});

void test("classify says what is missing where there is no Python", () => {
  const args = ["isotorch", "classify", "photo.jpg", "--json", "--python", "/nowhere"];
  assert.equal(JSON.parse(run(project, "npx", args, 3)).error.code, "ENVIRONMENT_NOT_FOUND");
});

/** What is another one on each machine: paths, versions, numbers, the labels of an untrained network. */
function shapeOf(text) {
  return text
    .replaceAll(/(?:[A-Z]:)?[\\/][\w.\\/ -]*[\w]/g, "PATH")
    .replaceAll(/^ {2}\S.*? {2,}\d+(\.\d+)?$/gm, "  LABEL  NUMBER")
    .replaceAll(/\d[\w.+]*/g, "NUMBER")
    .trim();
}

void test("the transcript in the README is what is seen, from setup to the answer", (t) => {
  const [, transcript] = /```console\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, "README.md"), "utf8"));
  const [install, ...steps] = transcript.split(/^\$ /m).slice(1);
  assert.match(install, /^npm i \.\.\/isotorch-\*\.tgz\nadded \d+ packages/); // which is what `before` did
  const env = {
    ...process.env,
    ISOTORCH_CONFIG_DIR: join(project, "config"),
    TORCH_HOME: join(ROOT, "node_modules/.cache/isotorch-package-test"),
  };
  for (const step of steps) {
    const [line, ...expected] = step.split("\n");
    const [file, ...args] = line.split(" ");
    const options = { cwd: project, env };
    const isHere = args[1] !== "setup" || start(file, ["isotorch", "doctor"], options).status !== 3;
    if (!isHere) return t.skip("no Python with PyTorch is here, and setup would install one");
    const { stdout, stderr, status } = start(file, args, options);
    assert.equal(status, 0, stderr);
    assert.equal(shapeOf(stderr + stdout), shapeOf(expected.join("\n")), line);
  }
});
