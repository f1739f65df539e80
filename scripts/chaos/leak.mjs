// Thousands of calls leave nothing in the controller's memory; the same measurement finds a leak that is planted.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { MIB, slope } from "./ledger.mjs";

const CHILD = fileURLToPath(new URL("leak-child.mjs", import.meta.url));
const PER_CALLS = 10_000;
const PLANTED_BYTES = 1_024;

export const leak = {
  name: "leak",
  what: "memory of the controller over many calls, stub",
  // The allocator takes its last pages within the first 17,000 calls.
  full: {
    calls: 20_000,
    warmUp: 20_000,
    plantedCalls: 10_000,
    plantedWarmUp: 20_000,
    samples: 40,
    limitMib: 1,
    judgesRss: true,
  },
  // Over few calls what V8 keeps of its compiling still shows, and resident memory moves in steps.
  short: {
    calls: 2_000,
    warmUp: 2_000,
    plantedCalls: 1_000,
    plantedWarmUp: 200,
    samples: 10,
    limitMib: 4,
    judgesRss: false,
  },
  async run(ledger, _random, { calls, warmUp, plantedCalls, plantedWarmUp, samples, limitMib, judgesRss }) {
    const clean = await measure(calls, warmUp, 0, samples);
    const planted = await measure(plantedCalls, plantedWarmUp, PLANTED_BYTES, samples);
    const per = `MiB per ${PER_CALLS} calls`;
    ledger.check(
      `heap and buffers grow by at most ${limitMib} ${per}`,
      clean.heap <= limitMib,
      `${clean.heap.toFixed(3)} over ${calls} calls`,
    );
    if (judgesRss)
      ledger.check(
        `resident memory grows by at most ${limitMib} ${per}`,
        clean.rss <= limitMib,
        clean.rss.toFixed(3),
      );
    else ledger.note(`resident memory grows by, ${per}`, clean.rss.toFixed(3));
    ledger.check(
      "a leak of 1 KiB per call is detected",
      planted.heap > limitMib,
      `${planted.heap.toFixed(3)} ${per}`,
    );
  },
};

/** Slopes of heap and resident memory, MiB per 10,000 calls. */
async function measure(calls, warmUp, planted, count) {
  const child = spawn(process.execPath, ["--expose-gc", CHILD, calls, warmUp, planted, count].map(String), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (text) => (output += text));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`the measured controller ended with ${code}`);
  const samples = JSON.parse(output);
  const per = (key) => (slope(samples.map((sample) => [sample.calls, sample[key]])) * PER_CALLS) / MIB;
  return { heap: per("heap"), rss: per("rss") };
}
