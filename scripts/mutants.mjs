// Takes each watchdog, fence and limit out, one at a time, in a scratch copy of the tree, and runs the tests that should notice.
//
//   node scripts/mutants.mjs [--only TEXT] [--part K/N] [--markdown]
//
// Each part takes every N-th of them: several run side by side.
// Red: some test failed, as it must. Green: nobody noticed, a test is missing. Exits with 1 when any is green.
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MUTATIONS } from "./chaos/mutations.mjs";

const LIMIT_MS = 180_000;
const COPIED = [
  "src",
  "dist",
  "test",
  "python",
  "models",
  "examples",
  "scripts",
  "package.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "vitest.config.ts",
];

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    part: { type: "string", default: "1/1" },
    markdown: { type: "boolean", default: false },
  },
});
const [share, shares] = values.part.split("/").map(Number);
const chosen = MUTATIONS.filter(({ name }, at) => name.includes(values.only) && at % shares === share - 1);
if (chosen.length === 0)
  throw new Error(`No mutation has ${JSON.stringify(values.only)} in its name, in part ${values.part}.`);
const root = fileURLToPath(new URL("..", import.meta.url));
const copy = mkdtempSync(join(tmpdir(), "mutants-"));
let green = 0;
try {
  for (const name of COPIED) cpSync(join(root, name), join(copy, name), { recursive: true });
  // What is taken out may leave a name unused: the copy is compiled without being checked.
  const config = join(copy, "tsconfig.build.json");
  const build = JSON.parse(readFileSync(config, "utf8"));
  build.compilerOptions.noCheck = true;
  writeFileSync(config, JSON.stringify(build));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  if (values.markdown) console.log("| taken out | in | noticed by | |\n| --- | --- | --- | --- |");
  for (const mutation of chosen) await tryOut(mutation);
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(`\n${green === 0 ? "All red." : `${green} green: a test is missing.`}`);
process.exitCode = green === 0 ? 0 : 1;

async function tryOut(mutation) {
  const path = join(copy, mutation.file);
  const original = readFileSync(path, "utf8");
  const parts = original.split(mutation.find);
  if (parts.length !== 2)
    throw new Error(`${mutation.name}: found ${parts.length - 1} times in ${mutation.file}`);
  writeFileSync(path, parts.join(mutation.put));
  try {
    const { failed, first } = await run(mutation);
    if (!failed) green += 1;
    report(mutation, failed, first);
  } finally {
    writeFileSync(path, original);
  }
}

function report({ name, file, tests }, failed, first) {
  const files = tests.filter((word) => word.startsWith("test/")).join(", ");
  const verdict = failed ? "red" : "**green**";
  const noticed = failed && first !== "" ? first : files;
  if (values.markdown) console.log(`| ${name} | \`${file}\` | ${noticed} | ${verdict} |`);
  else console.log(`${failed ? "red  " : "GREEN"}  ${name} (${file}): ${noticed}`);
}

function run({ runner, tests }) {
  const [file, args, cwd] =
    runner === "vitest"
      ? [
          process.execPath,
          [
            "node_modules/vitest/vitest.mjs",
            "run",
            "--bail=1",
            "--testTimeout=20000",
            "--typecheck.enabled=false",
            ...tests,
          ],
          copy,
        ]
      : [
          process.env.ISOTORCH_PYTHON ?? "/usr/bin/python3",
          [
            "-X",
            "utf8",
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "-c",
            "python/pyproject.toml",
            ...tests,
          ],
          copy,
        ];
  const env = { ...process.env, NO_COLOR: "1", PYTHONDONTWRITEBYTECODE: "1" };
  const child = spawn(file, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (text) => (output += text));
  child.stderr.on("data", (text) => (output += text));
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  }, LIMIT_MS);
  return new Promise((resolve, reject) => {
    child.on("close", (code) => {
      clearTimeout(timer);
      if (/Command failed: .*build\.mjs/.test(output))
        return reject(new Error(`the mutant does not compile:\n${output}`));
      // pytest's 5 and vitest's "No test files": nothing ran, so nobody noticed.
      const ran = code !== 5 && !/No test files found|file or directory not found|0 selected/.test(output);
      resolve({ failed: code !== 0 && ran, first: hung ? `hangs: ${tests[0]}` : firstFailure(output) });
    });
  });
}

/** The name of the first test that failed. */
function firstFailure(output) {
  const match = /^ *(?:FAIL|FAILED) +(?:\|\w+\| +)?\S*?(?: > |::)(.+?)(?: - .*)?$/m.exec(output);
  return match === null ? "" : match[1].replaceAll("|", "\\|");
}
