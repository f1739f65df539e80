// `npm run bench:tokens [-- --model gpt2 --weights untrained:0 --threads 2 --tokens 32 --rounds 5 --reference transformers
//   --python FILE --json FILE]`: our stream in turn with the loop of plain PyTorch, or transformers' own, in the same environment.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGenerator } from "../dist/index.js";
import { shippedFile } from "../dist/checkpoints/text/table.js";
import { loadNow } from "./lib/machine.mjs";
import { cacheFolder } from "./lib/pictures.mjs";
import { compare } from "./lib/statistics.mjs";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "gpt2" },
    weights: { type: "string", default: "untrained:0" },
    threads: { type: "string", default: "2" },
    tokens: { type: "string", default: "32" },
    rounds: { type: "string", default: "5" },
    reference: { type: "string", default: "plain" },
    python: { type: "string" },
    json: { type: "string" },
  },
});
const [threads, tokens, rounds] = [values.threads, values.tokens, values.rounds].map(Number);
const PROMPT = [464, 3290, 373, 1043, 287, 257, 2214, 1474, 262, 16246, 286, 2688, 290, 2688, 27262, 13];

const load = loadNow();
const generator = await createGenerator({
  model: values.model,
  weights: values.weights,
  threads,
  cacheDir: cacheFolder(),
  ...(values.python !== undefined && { python: values.python }),
});
const info = generator.info();
// What another vocabulary does not have stays away.
const prompt = PROMPT.map((id) => id % info.vocabulary);
const config =
  values.model === "tiny" ? shippedFile("tiny/config.json") : shippedFile(`gpt2/${values.model}.config.json`);
const rival = await startRival();
try {
  const pairs = { total: [], first: [], decode: [], bridge: [] };
  let equal = true;
  for (let round = -1; round < rounds; round += 1) {
    const ours = await oursOnce();
    const theirs = await rival.ask({ prompt, tokens });
    equal &&= ours.ids.join() === theirs.ids.join();
    // The first round warms both.
    if (round < 0) continue;
    pairs.total.push({ ours: (1_000 * tokens) / ours.last, rival: (1_000 * tokens) / theirs.last });
    pairs.first.push({ ours: ours.first, rival: theirs.first });
    pairs.decode.push({
      ours: (ours.last - ours.first) / (tokens - 1),
      rival: (theirs.last - theirs.first) / (tokens - 1),
    });
    const { prefill, decode } = ours.timings;
    pairs.bridge.push({ ours: (ours.last - prefill - decode) / tokens, rival: decode / (tokens - 1) });
  }
  const rows = {
    "tokens/s": compare(pairs.total),
    "time to first token, ms": compare(pairs.first),
    "ms per further token": compare(pairs.decode),
    "bridge, ms per token, of the worker's step": compare(pairs.bridge),
  };
  const machine = {
    load: load.toFixed(1),
    torch: rival.hello.torch,
    threads: info.threads,
    blas: info.blas.library,
    model: `${values.model} ${values.weights}`,
    rival: values.reference,
    node: process.versions.node,
    prompt: `${prompt.length} tokens`,
    tokens,
    rounds,
    "same tokens": equal,
  };
  console.log(machine);
  for (const [name, { value, rival: other, ratio, spread }] of Object.entries(rows))
    console.log(
      `${name.padEnd(44)} ours ${value.toFixed(2).padStart(9)}  rival ${other.toFixed(2).padStart(9)}  ` +
        `ratio ${ratio.toFixed(3)} (${spread.map((edge) => edge.toFixed(3)).join(" to ")})`,
    );
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ machine, rows }, undefined, 2));
  if (!equal) process.exitCode = 1;
} finally {
  rival.close();
  await generator.close();
}

async function oursOnce() {
  const begun = performance.now();
  const stream = generator.stream(prompt, { maxTokens: tokens, temperature: 0 });
  const [times, ids] = [[], []];
  for await (const { id } of stream) {
    times.push(performance.now() - begun);
    ids.push(id);
  }
  return { first: times[0], last: times.at(-1), ids, timings: stream.timings };
}

async function startRival() {
  const script = fileURLToPath(new URL("plain_tokens.py", import.meta.url));
  const args = ["--checkpoint", info.weights.path, "--config", config, "--threads", String(info.threads)];
  const child = spawn(info.executable, [script, ...args, "--reference", values.reference], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout });
  const next = async () => {
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`the rival ended with ${code}`);
    });
    const [line] = await Promise.race([once(lines, "line"), ended]);
    return JSON.parse(line);
  };
  const hello = await next();
  return {
    hello,
    ask: (asked) => {
      child.stdin.write(`${JSON.stringify(asked)}\n`);
      return next();
    },
    close: () => child.stdin.end(),
  };
}
