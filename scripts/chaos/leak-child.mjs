// `node --expose-gc leak-child.mjs CALLS WARM_UP PLANTED_BYTES SAMPLES`: prints samples of its memory as JSON.
import { setTimeout as delay } from "node:timers/promises";
import { ask, startStub } from "./stub.mjs";

const [calls, warmUp, plantedBytes, sampleCount] = process.argv.slice(2).map(Number);
const kept = [];
const supervisor = await startStub();
let n = 0;
await callTimes(warmUp);
const samples = [await sample(0)];
for (let i = 1; i <= sampleCount; i++) {
  await callTimes(calls / sampleCount);
  samples.push(await sample((i * calls) / sampleCount));
}
await supervisor.close();
console.log(JSON.stringify(samples));

async function callTimes(count) {
  for (let i = 0; i < count; i += 4) {
    const texts = Array.from({ length: 4 }, () => `${(n += 1)}`.padEnd(4_096));
    await Promise.all(texts.map((text) => ask(supervisor, text, { timeoutMs: 60_000 })));
    if (plantedBytes > 0) kept.push(...texts.map(() => Buffer.alloc(plantedBytes)));
  }
}

async function sample(at) {
  for (let i = 0; i < 3; i++) {
    global.gc();
    await delay(5);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { calls: at, heap: heapUsed + external, rss };
}
