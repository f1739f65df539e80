// isotorch as one of the competitors: a process of its own, asked in lines of JSON. Times are milliseconds.
import { readFile } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createClassifier, preprocess } from "../dist/index.js";
import { answerLines } from "./lib/child.mjs";
import { peakOf } from "./lib/machine.mjs";

const MIB = 2 ** 20;
let classifier;

await answerLines({
  async open({ options }) {
    classifier = await createClassifier(options);
    return { info: classifier.info() };
  },

  async close() {
    await classifier.close();
  },

  /** `classify(tensor)` over and over: each call's time, and what of it was not the forward pass. */
  async tensor({ path, count }) {
    const tensor = await classifier.preprocess(path);
    const times = [];
    const outside = [];
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      const { timings } = await classifier.classifyDetailed(tensor, { include: { timings: true } });
      const elapsed = performance.now() - start;
      times.push(elapsed);
      outside.push(elapsed - timings.forward);
    }
    return { times, outside };
  },

  async classify({ paths }) {
    const start = performance.now();
    const results = await classifier.classify(paths);
    return { elapsed: performance.now() - start, best: results.map(([first]) => first.index) };
  },

  /** So many callers, each with one picture at a time, until `total` are answered. */
  async callers({ paths, callers, total }) {
    const pictures = await Promise.all(paths.map((path) => readFile(path)));
    let next = 0;
    const start = performance.now();
    const caller = async () => {
      while (next < total) {
        next += 1;
        await classifier.classify(pictures[next % pictures.length], { timeoutMs: 0 });
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    return { elapsed: performance.now() - start };
  },

  /** Resident size of this process while pictures go through; `samples` are `[pictures, MiB]`. */
  async resident({ paths, total }) {
    const samples = [];
    const every = Math.max(1, Math.floor(total / 100));
    let done = 0;
    const endless = function* () {
      for (let i = 0; i < total; i++) yield paths[i % paths.length];
    };
    for await (const { status, reason } of classifier.classifyStream(endless())) {
      if (status === "rejected") throw reason;
      done += 1;
      if (done % every === 0) samples.push([done, process.memoryUsage.rss() / MIB]);
    }
    return { samples };
  },

  /** The worker's largest resident size so far, MiB. */
  peak() {
    return { peak: peakOf(classifier.info().pid) };
  },

  /** How late the event loop is while all of these pictures are prepared, or classified: the 99th percentile. */
  async delay({ paths, classified }) {
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    if (classified) await classifier.classify(paths);
    else await Promise.all(paths.map((path) => classifier.preprocess(path)));
    histogram.disable();
    return { p99: histogram.percentile(99) / 1e6, max: histogram.max / 1e6 };
  },

  /** Decode and preprocess, no network: processor time and wall time. */
  async preprocess({ path, count }) {
    const start = performance.now();
    const before = process.cpuUsage();
    for (let i = 0; i < count; i++) await preprocess(path);
    const { user, system } = process.cpuUsage(before);
    return { cpu: (user + system) / 1000 / count, wall: (performance.now() - start) / count };
  },
});
process.exit(0);
