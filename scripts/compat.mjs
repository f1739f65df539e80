// `npm run compat [-- --only NAME]`: the worker's tests and the parity ladder under old and new PyTorch.
//
//   --only NAME    this environment alone; may be given several times
//   --also PYTHON  an interpreter of yours beside them, with PyTorch, what the worker needs, and pytest; may be repeated
//   --quick        the pictures in examples/images alone, without the generated corpus
//   --write        put the tables into docs/compatibility.md
//   --venvs DIR    where the environments are; default $XDG_CACHE_HOME/isotorch/compat, else ~/.cache/isotorch/compat
//
// The environments are made from PyPI the first time: about 16 GB. Needs what `npm run build` makes. Exit codes: 0; 1 when
// a test failed or a bit differed inside an environment (between two of them bits may differ, and the table says how
// many); 2 usage; 3 when an environment cannot be made or does not work.
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { HANDOFFS, betweenTable, resultTable, versionTable } from "./compat-tables.mjs";

const TORCH_1_12 = ["torch==1.12.1", "torchvision==0.13.1", "numpy==1.26.4"];
/** Oldest first: the others are compared with the first one. */
const ENVIRONMENTS = [
  // The pair that env.yml pins, with the Pillow of its time and with the one that env.yml, which pins none, gives today.
  { name: "py310-torch1.12", python: "3.10", packages: [...TORCH_1_12, "pillow==9.5.0"] },
  { name: "py310-torch1.12-pillow12", python: "3.10", packages: [...TORCH_1_12, "pillow==12.3.0"] },
  // The newest of everything for the oldest Python, and for the newest.
  {
    name: "py39-torch2.8",
    python: "3.9",
    packages: ["torch==2.8.0", "torchvision==0.23.0", "numpy==2.0.2", "pillow==11.3.0"],
  },
  {
    name: "py313-torch2.15",
    python: "3.13",
    packages: ["torch==2.15.0", "torchvision==0.29.2", "numpy==2.5.5", "pillow==13.0.0"],
  },
];
const NEEDED_TOO = ["pyzmq", "msgpack", "pytest"];
// The thread count belongs to the answer's bits: the same everywhere.
const THREADS = "2";
const UNREACHABLE =
  /NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|Temporary failure|Network is unreachable/;

const VERSIONS = `
import json, platform, re
import numpy, PIL, torch, torchvision
from PIL import features
config = torch.__config__.show()
def found(pattern):
    match = re.search(pattern, config)
    return match.group(1) if match else "unknown"
print(json.dumps({
    "python": platform.python_version(), "torch": torch.__version__, "torchvision": torchvision.__version__,
    "pillow": PIL.__version__, "libjpeg": features.version("libjpeg_turbo") or str(features.version("jpg")),
    "numpy": numpy.__version__, "onednn": found(r"MKL-DNN v(\\S+)"), "cpu": found(r"CPU capability usage: (\\S+)"),
}))`;

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
const MAIN = "dist/cli/main.js";
const PAGE = "docs/compatibility.md";
const scratch = mkdtempSync(join(tmpdir(), "isotorch-compat-"));

/** Ends the run with a sentence. */
class Stop extends Error {
  constructor(sentence, code = 3) {
    super(sentence);
    this.code = code;
  }
}

try {
  process.exitCode = main(readOptions());
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  process.stderr.write(`compat: ${error.message}\n`);
  process.exitCode = error.code;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function main(options) {
  const environments = [
    ...ENVIRONMENTS.filter(({ name }) => options.only.length === 0 || options.only.includes(name)).map(
      (environment) => made(environment, options.venvs),
    ),
    ...options.also.map((python) => ({ name: python, python })),
  ].map((environment) => ({ ...environment, versions: versionsOf(environment) }));
  say(versionTable(environments));

  for (const environment of environments) environment.own = ownCheckpoint(environment);
  const [first] = environments;
  const pictures = ["examples/images", ...(options.quick ? [] : [corpus(first)])];
  const rows = environments.map((environment) => ({
    ...environment,
    tests: tests(environment),
    // By the checkpoint that the first made, and the first by those that the others made.
    plain: environments
      .filter(({ name }) => environment === first || name === first.name)
      .map(({ own }) => beside(environment, own)),
    tutorial: tutorial(environment, first.own),
    ladder: parity(environment, first.own, pictures, ["--handoff", "all"]).summary,
  }));
  const tables = [versionTable(rows), resultTable(rows)];
  say(tables[1]);

  const pairs = environments.slice(1).map((other) => {
    const against = ["--against", other.python];
    return { from: first.name, to: other.name, ...parity(first, first.own, pictures, against) };
  });
  if (pairs.length > 0) tables.push(betweenTable(pairs));
  if (pairs.length > 0) say(tables[2]);
  if (options.write) write(tables.join("\n"));
  const passed = rows.every(
    ({ tests: { ok }, plain, tutorial: same, ladder }) =>
      ok && plain.every(({ differing }) => differing === 0) && same && ladder.passed,
  );
  return passed ? 0 : 1;
}

/** The environment with its interpreter, installed if it is not there as listed. */
function made({ name, python, packages }, venvs) {
  const folder = join(venvs, name);
  const interpreter = join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  const wanted = [...packages, ...NEEDED_TOO];
  const stamp = join(folder, "isotorch-compat.json");
  const done = existsSync(stamp) && readFileSync(stamp, "utf8") === JSON.stringify(wanted);
  if (done && existsSync(interpreter)) return { name, python: interpreter };

  tell(`${name}: making it in ${folder}`);
  const base = interpreterOf(python);
  if (base === undefined) {
    const hint = `Install it (pyenv install ${python}), or leave this environment out with --only.`;
    throw new Stop(
      `${name}: there is no Python ${python}, neither python${python} on the PATH nor one of pyenv's. ${hint}`,
    );
  }
  mkdirSync(folder, { recursive: true });
  orStop(name, run(base, ["-m", "venv", folder]));
  orStop(
    name,
    run(interpreter, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...wanted]),
  );
  writeFileSync(stamp, JSON.stringify(wanted));
  return { name, python: interpreter };
}

function interpreterOf(version) {
  const pyenv = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  const installed = existsSync(pyenv) ? readdirSync(pyenv) : [];
  const candidates = [
    `python${version}`,
    ...installed
      .filter((name) => name.startsWith(`${version}.`))
      .map((name) => join(pyenv, name, "bin", "python")),
  ];
  // One of pyenv's shims is on the PATH for every version, and fails for those that are not selected.
  return candidates.find((candidate) => {
    const { status, stdout } = run(candidate, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
    return status === 0 && stdout.trim() === version;
  });
}

function versionsOf({ name, python }) {
  const result = run(python, ["-I", "-c", VERSIONS]);
  if (result.status !== 0) throw new Stop(`${name} does not work: ${lastLine(result)}`);
  return JSON.parse(result.stdout);
}

/** The worker's own tests: how many passed, failed, and were left out or expected to fail. */
function tests({ name, python }) {
  tell(`${name}: the worker's tests`);
  const pytest = ["-m", "pytest", "-c", "python/pyproject.toml", "test/python", "-q", "--tb=short"];
  const result = run(python, ["-B", ...pytest, "-p", "no:cacheprovider"]);
  const count = (what) => Number(new RegExp(`(\\d+) ${what}`).exec(result.stdout)?.[1] ?? 0);
  const counts = {
    passed: count("passed"),
    failed: count("failed") + count("error"),
    skipped: count("skipped") + count("xfailed"),
  };
  if (result.status !== 0) tell(result.stdout.slice(-6000) + result.stderr.slice(-2000));
  return { ...counts, ok: result.status === 0 };
}

/** The checkpoint `untrained:0` as this environment makes it. */
function ownCheckpoint({ name, python }) {
  tell(`${name}: a checkpoint of its own`);
  const folder = join(scratch, createHash("sha256").update(name).digest("hex").slice(0, 8));
  const flags = ["--weights", "untrained:0", "--cache-dir", folder, "--device", "cpu", "--threads", THREADS];
  orStop(name, isotorch(["classify", "examples/images/dog.webp", "--python", python, ...flags]));
  const path = join(folder, "resnet101-untrained-0.pth");
  return { name, path, sha256: readFileSync(`${path}.sha256`, "utf8").split(/\s/)[0] };
}

function corpus({ name, python }) {
  tell(`the corpus of picture kinds, by the Pillow of ${name}`);
  const folder = join(scratch, "corpus");
  orStop(name, run(python, ["-B", "python/make_corpus.py", folder]));
  return folder;
}

/** `isotorch classify` by each handoff beside python/plain.py in the same interpreter, over the example pictures. */
function beside({ name, python }, checkpoint) {
  tell(`${name}: isotorch classify beside plain PyTorch, checkpoint of ${checkpoint.name}`);
  const images = readdirSync("examples/images").map((image) => `examples/images/${image}`);
  const plainArgs = ["--checkpoint", checkpoint.path, "--threads", THREADS, ...images];
  const plain = jsonLines(orStop(name, run(python, ["-I", "-B", "python/plain.py", ...plainArgs])));
  const compared = HANDOFFS.flatMap((handoff) => {
    const flags = [
      "--json",
      "--include",
      "logits,tensor",
      "--handoff",
      handoff,
      ...network(python, checkpoint),
    ];
    const ours = jsonLines(isotorch(["classify", ...images, ...flags]));
    return plain.map((theirs, index) => {
      const { logits = [], tensor = { data: [] }, top = [] } = ours[index] ?? {};
      const same =
        sha256(logits) === theirs.logits_sha256 &&
        sha256(tensor.data) === theirs.tensor_sha256 &&
        top.length === theirs.top5.length &&
        top.every((guess, rank) => {
          const { index: class_, percent } = theirs.top5[rank];
          return guess.index === class_ && guess.percent === percent;
        });
      if (!same) tell(`${theirs.input} by ${handoff} differs from plain PyTorch`);
      return same;
    });
  });
  const differing = compared.filter((same) => !same).length;
  return { checkpoint: checkpoint.name, answers: compared.length, differing };
}

/** Whether the tutorial's statements print the same as at a Python prompt, with `eval()` and without. */
function tutorial({ name, python }, checkpoint) {
  tell(`${name}: the tutorial`);
  return [[], ["--as-written"]].every((extra) => {
    const flags = ["--check", ...extra, ...network(python, checkpoint)];
    const result = isotorch(["tutorial", "examples/images/landscape.jpg", ...flags]);
    if (result.status !== 0) tell(result.stdout.slice(-3000) + result.stderr.slice(-1000));
    return result.status === 0;
  });
}

/** The report of `isotorch parity`. */
function parity({ name, python }, checkpoint, pictures, flags) {
  tell(`${name}: the ladder, ${flags.join(" ")}`);
  const report = join(scratch, "report.json");
  rmSync(report, { force: true });
  const args = [...pictures, ...flags, "--report", report, ...network(python, checkpoint)];
  const result = isotorch(["parity", ...args]);
  if (!existsSync(report)) throw new Stop(`${name}: the ladder gave no report: ${lastLine(result)}`);
  return JSON.parse(readFileSync(report, "utf8"));
}

function network(python, { path, sha256: digest }) {
  const flags = ["--weights", path, "--sha256", digest, "--threads", THREADS, "--device", "cpu"];
  return ["--python", python, ...flags];
}

function isotorch(args) {
  return run(process.execPath, [MAIN, ...args]);
}

function run(file, args) {
  return spawnSync(file, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1024 * 1024 * 1024,
  });
}

function jsonLines({ stdout }) {
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

function sha256(values) {
  return createHash("sha256")
    .update(new Uint8Array(Float32Array.from(values).buffer))
    .digest("hex");
}

function orStop(name, result) {
  if (result.status === 0) return result;
  if (UNREACHABLE.test(result.stderr ?? "")) {
    throw new Stop(
      `${name} cannot be made: PyPI cannot be reached. Check the network or the proxy, then run this again.`,
    );
  }
  throw new Stop(`${name}: ${lastLine(result)}`);
}

function lastLine({ error, stderr, status, signal }) {
  return error?.message ?? (stderr.trim().split("\n").at(-1) || `it ended with ${status ?? signal}`);
}

/** The tables into the page, between its two marks. */
function write(tables) {
  const [begin, end] = ["<!-- compat: begin -->", "<!-- compat: end -->"];
  const page = readFileSync(PAGE, "utf8");
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Stop(`${PAGE} has no ${begin} and ${end}.`);
  writeFileSync(PAGE, `${page.slice(0, from)}${begin}\n\n${tables}\n${page.slice(to)}`);
  tell(`written to ${PAGE}`);
}

function readOptions() {
  const text = { type: "string" };
  const many = { type: "string", multiple: true };
  const yes = { type: "boolean" };
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const { values } = parsed({ only: many, also: many, quick: yes, write: yes, venvs: text });
  const { only = [], also = [], venvs = join(cache, "isotorch", "compat") } = values;
  const unknown = only.find((name) => !ENVIRONMENTS.some((environment) => environment.name === name));
  if (unknown !== undefined) {
    const names = ENVIRONMENTS.map(({ name }) => name).join(", ");
    throw new Stop(`--only knows ${names}, not ${unknown}.`, 2);
  }
  if (!existsSync(MAIN)) throw new Stop("There is no dist/. Run `npm run build` first.", 2);
  return { ...values, only, also, venvs: resolve(venvs) };
}

function parsed(flags) {
  try {
    return parseArgs({ options: flags });
  } catch (error) {
    throw new Stop(error.message, 2);
  }
}

function say(text) {
  process.stdout.write(`${text}\n`);
}

function tell(text) {
  const seconds = Math.round(performance.now() / 1000);
  process.stderr.write(`${String(seconds).padStart(5)} s  ${text}\n`);
}
