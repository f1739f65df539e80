// What `npm run compat` finds out about one environment. Every check gives `{ ok, … }`, as the tables need it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { distribution } from "./environments.mjs";
import { Stop, isotorch, lastLine, orStop, run, tell } from "./run.mjs";

export const HANDOFFS = ["tensor", "pixels", "encoded"];
const EXAMPLES = readdirSync("examples/images").map((image) => `examples/images/${image}`);
// The thread count belongs to the answer's bits: the same everywhere.
const THREADS = "2";

/** By name: `(environment, all environments, folder for files) => { ok, … }`. */
export const CHECKS = {
  attested,
  tests,
  plain,
  tutorial,
  ladder,
  against,
};

/** Which kinds of picture Node decodes there, and which it leaves to Pillow, as the manifest of a run says. */
function attested({ name, python }, [first], folder) {
  const path = join(folder, `manifest-${process.pid}.json`);
  const flags = ["--manifest", path, ...network(python, ownCheckpoint(first, folder))];
  orStop(name, isotorch(["classify", EXAMPLES[0], ...flags]));
  const { attestation } = JSON.parse(readFileSync(path, "utf8"));
  rmSync(path);
  return { ok: true, ...attestation };
}

/** The worker's own tests: how many passed, failed, and were left out or expected to fail. */
function tests({ python }) {
  const pytest = ["-m", "pytest", "-c", "python/pyproject.toml", "test/python", "-q", "--tb=short"];
  const { status, stdout, stderr } = run(python, ["-X", "utf8", "-B", ...pytest, "-p", "no:cacheprovider"]);
  const count = (what) => Number(new RegExp(`(\\d+) ${what}`).exec(stdout)?.[1] ?? 0);
  if (status !== 0) tell(stdout.slice(-6000) + stderr.slice(-2000));
  return {
    ok: status === 0 && count("passed") > 0,
    passed: count("passed"),
    failed: count("failed") + count("error"),
    skipped: count("skipped") + count("xfailed"),
  };
}

/**
 * `isotorch classify` by each handoff beside python/plain.py in the same interpreter, over the example pictures: by the
 * checkpoint that the first environment made, and in the first by those that the others made.
 */
function plain(environment, environments, folder) {
  const [first] = environments;
  const makers = environment === first ? environments : [first];
  const plains = makers.map((maker) => ({
    checkpoint: maker.name,
    ...beside(environment, ownCheckpoint(maker, folder)),
  }));
  return { ok: plains.every(({ answers, differing }) => answers > 0 && differing === 0), plains };
}

function beside({ name, python }, checkpoint) {
  const plainArgs = ["--checkpoint", checkpoint.path, "--threads", THREADS, ...EXAMPLES];
  const theirs = jsonLines(
    orStop(name, run(python, ["-I", "-X", "utf8", "-B", "python/plain.py", ...plainArgs])),
  );
  const answers = HANDOFFS.flatMap((handoff) => {
    const flags = ["--json", "--include", "logits,tensor", "--handoff", handoff];
    const ours = jsonLines(isotorch(["classify", ...EXAMPLES, ...flags, ...network(python, checkpoint)]));
    return theirs.map((their, index) => {
      const same = isSame(ours[index], their);
      if (!same) tell(`${name}: ${their.input} by ${handoff} differs from plain PyTorch`);
      return same;
    });
  });
  return { answers: answers.length, differing: answers.filter((same) => !same).length };
}

function isSame({ logits = [], tensor = { data: [] }, top = [] } = {}, theirs) {
  return (
    sha256(logits) === theirs.logits_sha256 &&
    sha256(tensor.data) === theirs.tensor_sha256 &&
    top.length === theirs.top5.length &&
    theirs.top5.every(({ index, percent }, at) => top[at].index === index && top[at].percent === percent)
  );
}

/** Whether the tutorial's statements print the same as at a Python prompt, with `eval()` and without. */
function tutorial({ python }, [first], folder) {
  const differing = [[], ["--as-written"]].filter((extra) => {
    const flags = ["--check", ...extra, ...network(python, ownCheckpoint(first, folder))];
    const { status, stdout, stderr } = isotorch(["tutorial", "examples/images/landscape.jpg", ...flags]);
    if (status !== 0) tell(stdout.slice(-3000) + stderr.slice(-1000));
    return status !== 0;
  });
  return { ok: differing.length === 0 };
}

/** `isotorch parity` over the examples and the corpus, by every handoff: the verdicts of each. */
function ladder(environment, environments, folder) {
  const { summary, pictures } = parity(environment, environments, folder, ["--handoff", "all"]);
  for (const { input, handoff, firstDivergence } of pictures)
    if (firstDivergence !== null)
      tell(`${environment.name}: ${input} by ${handoff} differs in ${firstDivergence}`);
  return { ok: summary.passed, verdicts: summary.handoffs };
}

/**
 * isotorch in the first environment against plain PyTorch in this one: the first stage that differs in each picture, and
 * the largest difference of its logits. Differences are no failure here.
 */
function against(environment, environments, folder) {
  const [first] = environments;
  if (environment === first) return { ok: true };
  const report = parity(first, environments, folder, ["--against", environment.python]);
  const logits = report.pictures.map(({ rungs }) => {
    const stages = new Map(rungs.map((rung) => [rung.stage, rung]));
    const isSameTensor = stages.get("normalized")?.outcome === "equal";
    return { isSameTensor, largest: stages.get("logits")?.comparison?.largest ?? 0 };
  });
  const sameTensor = logits.filter(({ isSameTensor }) => isSameTensor);
  const answered = report.pictures.filter(({ agreement }) => agreement !== undefined);
  return {
    ok: true,
    verdicts: report.summary.verdicts,
    firstDivergences: report.summary.firstDivergences,
    largest: largestOf(logits),
    sameTensor: { pictures: sameTensor.length, largest: largestOf(sameTensor) },
    answered: answered.length,
    agreeing: answered.filter(({ agreement }) => agreement.top1).length,
  };
}

function largestOf(logits) {
  return Math.max(0, ...logits.map(({ largest }) => largest));
}

/** The report of `isotorch parity` with the first environment's checkpoint. */
function parity({ name, python }, [first], folder, flags) {
  const path = join(folder, `report-${process.pid}.json`);
  const pictures = [...EXAMPLES, corpus(first, folder)];
  const checkpoint = ownCheckpoint(first, folder);
  const result = isotorch([
    "parity",
    ...pictures,
    ...flags,
    "--report",
    path,
    ...network(python, checkpoint),
  ]);
  if (!existsSync(path)) throw new Stop(`${name}: the ladder gave no report: ${lastLine(result)}`);
  const report = JSON.parse(readFileSync(path, "utf8"));
  rmSync(path);
  return report;
}

/** The checkpoint `untrained:0` as this environment makes it. */
function ownCheckpoint({ name, python }, folder) {
  const own = join(folder, createHash("sha256").update(name).digest("hex").slice(0, 8));
  const path = join(own, "resnet101-untrained-0.pth");
  if (!existsSync(path)) {
    const flags = ["--weights", "untrained:0", "--cache-dir", own, "--device", "cpu", "--threads", THREADS];
    orStop(name, isotorch(["classify", EXAMPLES[0], "--python", python, ...flags]));
  }
  return { path, sha256: readFileSync(`${path}.sha256`, "utf8").split(/\s/)[0] };
}

/**
 * The pictures of python/corpus/make_compat_corpus.py, by the distribution's Pillow where there is one, else by this
 * environment's: all environments get the same files.
 */
function corpus(first, folder) {
  const made = join(folder, "corpus");
  if (existsSync(join(made, "corpus.json"))) return made;
  const { name, python } = distribution() ?? first;
  mkdirSync(made, { recursive: true });
  orStop(name, run(python, ["-B", "python/corpus/make_compat_corpus.py", made]));
  return made;
}

function network(python, { path, sha256: digest }) {
  const flags = ["--weights", path, "--sha256", digest, "--threads", THREADS, "--device", "cpu"];
  return ["--python", python, ...flags];
}

function jsonLines({ stdout }) {
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line));
}

function sha256(values) {
  return createHash("sha256")
    .update(new Uint8Array(Float32Array.from(values).buffer))
    .digest("hex");
}
