// How processes end, each with the other one.
import { readdirSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { createClassifier } from "isotorch";
import { ENV, WEIGHTS, check, child, gone, scenarios } from "./harness.mjs";

const START = { weights: WEIGHTS, env: ENV };

await scenarios({
  "a script ends by itself after its answer, and its worker with it; the temporary folder is as before":
    async () => {
      const before = readdirSync(tmpdir());
      const { code, out, err } = await child("answer").ended;
      check(code === 0, `code ${code}: ${err}`);
      const ms = await gone(JSON.parse(out).pid, 5_000);
      const left = readdirSync(tmpdir()).filter((name) => !before.includes(name));
      return check(left.length === 0, `worker gone after ${ms} ms, left: ${left.join(", ") || "nothing"}`);
    },
  "the parent is killed (TerminateProcess): the worker ends": async () => {
    const parent = child("answer", "stay");
    const { pid } = JSON.parse(await parent.line());
    parent.process.kill("SIGKILL");
    return `gone after ${await gone(pid, 5_000)} ms`;
  },
  "the parent is killed by taskkill /f: the worker ends": async () => {
    const parent = child("answer", "stay");
    const { pid } = JSON.parse(await parent.line());
    const { status } = spawnSync("taskkill", ["/f", "/pid", String(parent.process.pid)]);
    return check(
      status === 0,
      `taskkill ended with ${status}, worker gone after ${await gone(pid, 5_000)} ms`,
    );
  },
  "the worker is killed at work: another one starts, and the answer is the same": () =>
    withClassifier({}, async (classifier) => {
      const [before] = await classifier.classify("landscape.jpg");
      const [{ pid }] = classifier.info().workers;
      const answers = classifier.classify(["landscape.jpg", "dog.webp", "landscape.jpg"]);
      setTimeout(() => process.kill(pid, "SIGKILL"), 30);
      const [[after]] = await answers;
      const { starts } = classifier.health();
      check(after.percent === before.percent, `${after.percent} % instead of ${before.percent} %`);
      return check(starts === 2, `${after.label} ${after.percent} % before and after, starts: ${starts}`);
    }),
  "a worker with more memory than maxWorkerBytes is replaced": () =>
    withClassifier({ supervision: { maxWorkerBytes: 100 * 2 ** 20 } }, async (classifier) => {
      const end = Date.now() + 120_000;
      while (classifier.health().starts < 2 && Date.now() < end) await classifier.classify("landscape.jpg");
      const { starts, recentExits } = classifier.health();
      return check(starts >= 2 && recentExits === 0, `starts: ${starts}, unplanned ends: ${recentExits}`);
    }),
  "an abort while it starts leaves nothing": async () => {
    const signal = AbortSignal.timeout(1_500);
    const error = await createClassifier({ ...START, signal }).catch((reason) => reason);
    return check(error.code === "ABORTED", `${error.code}`);
  },
});

/** What `use` resolves with; the classifier is closed then. */
async function withClassifier(options, use) {
  const classifier = await createClassifier({ ...START, ...options });
  try {
    return await use(classifier);
  } finally {
    await classifier.close();
  }
}
