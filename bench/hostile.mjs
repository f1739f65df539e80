// `npm run bench:server -- hostile [--seconds 60] [--rounds 2] [--rate N] [--weights W | --fake]`: honest pictures at a
// steady rate, alone and beside hostile requests that are 20 % of all, in turns; a server, an honest and a hostile process.
// Exits with 1 where the honest p99 is more than 1.5 times that of the load alone, where an honest picture or a probe fails,
// or where the server's memory is not bounded.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadavg } from "node:os";
import { median, quantile } from "./lib/statistics.mjs";

/** Of all requests. */
const HOSTILE_SHARE = 0.2;
const MOST_RATIO = 1.5;
/** Beyond what the server has before: 128 MiB of bodies, as often as they are copied, and what the collector leaves. */
const MOST_MIB = 768;
const PROBE_MS = 100;
const PHOTO = readFileSync(new URL("../examples/images/balloons.jpg", import.meta.url));

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "60" },
    rounds: { type: "string", default: "2" },
    rate: { type: "string" },
    weights: { type: "string", default: "untrained:0" },
    fake: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);

const file = (name) => fileURLToPath(new URL(`./lib/hostile/${name}.mjs`, import.meta.url));
const server = spawn(process.execPath, [file("server"), values.fake ? "fake" : values.weights], {
  stdio: ["pipe", "pipe", "inherit"],
});
const [line] = await once(createInterface(server.stdout), "line");
const { port, token } = JSON.parse(line);
const agent = new Agent({ keepAlive: true });

/** @returns the status, and milliseconds from `due` on. */
function ask(path, { body, due = performance.now(), agent: by } = {}) {
  return new Promise((resolve) => {
    const headers = { Authorization: `Bearer ${token}`, ...(body && { "Content-Type": "image/jpeg" }) };
    const asked = request({ port, path, method: body ? "POST" : "GET", headers, agent: by }, (response) => {
      response.resume();
      response.once("end", () => resolve({ status: response.statusCode, ms: performance.now() - due }));
    });
    asked.once("error", (error) => resolve({ status: error.code, ms: performance.now() - due }));
    asked.end(body);
  });
}

const picture = (due) => ask("/classify", { body: PHOTO, due, agent });

/** Resident memory of the server's own process, MiB. */
function memory() {
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
}

/** Honest pictures at a steady rate: one that is late because the server is busy counts from when it was due. */
async function turn(rate, isHostile) {
  const args = [file("client"), port, token, (rate * HOSTILE_SHARE) / (1 - HOSTILE_SHARE), seconds].map(
    String,
  );
  const hostile = isHostile
    ? spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] })
    : undefined;
  const lines = hostile && createInterface(hostile.stdout);
  if (lines) {
    await once(lines, "line");
    hostile.stdin.end("go\n");
  }
  const told = lines ? once(lines, "line") : Promise.resolve([]);
  /** @type {Promise<{ status: unknown, ms: number }>[]} */
  const answers = [];
  const [probes, rss] = [[], []];
  const started = performance.now();
  const until = started + seconds * 1_000;
  const watching = (async () => {
    while (performance.now() < until) {
      probes.push(await ask("/v2/health/live"));
      rss.push(memory());
      await sleep(PROBE_MS);
    }
  })();
  for (let due = started; due < until; due += 1_000 / rate) {
    await sleep(Math.max(0, due - performance.now()));
    answers.push(picture(due));
  }
  const honest = await Promise.all(answers);
  await watching;
  const [counted] = await told;
  const outcomes = counted && JSON.parse(counted);
  const load = loadavg()[0];
  return { isHostile, honest, probes, rss, outcomes, load };
}

function row({ isHostile, honest, probes, rss, load }) {
  const times = honest.map(({ ms }) => ms);
  const ms = (value) => Math.round(value);
  return {
    beside: isHostile ? "hostile" : "nothing",
    pictures: honest.length,
    failed: honest.filter(({ status }) => status !== 200).length,
    "p50 ms": ms(median(times)),
    "p95 ms": ms(quantile(times, 0.95)),
    "p99 ms": ms(quantile(times, 0.99)),
    "live, worst ms": ms(Math.max(...probes.map((probe) => probe.ms))),
    "live failed": probes.filter(({ status }) => status !== 200).length,
    "memory, most MiB": ms(Math.max(...rss)),
    load: load.toFixed(1),
  };
}

/** A third of what the server does one after the other: beyond its capacity every load is hostile. */
async function fittingRate() {
  const times = [];
  for (let at = 0; at < 12; at += 1) times.push((await picture(performance.now())).ms);
  return 1_000 / (3 * median(times.slice(2)));
}

const turns = [];
try {
  const rate = Number(values.rate) || (await fittingRate());
  process.stderr.write(`> ${rate.toFixed(2)} honest pictures a second\n`);
  await turn(rate, false); // warm
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const isHostile of [false, true]) {
      turns.push(await turn(rate, isHostile));
      console.table(row(turns.at(-1)));
    }
  }
} finally {
  server.stdin.end();
  await once(server, "exit");
  agent.destroy();
}
console.table(turns.map(row));
report();

function report() {
  const of = (isHostile) => turns.filter((one) => one.isHostile === isHostile);
  const p99 = (some) =>
    quantile(
      some.flatMap(({ honest }) => honest.map(({ ms }) => ms)),
      0.99,
    );
  const ratio = p99(of(true)) / p99(of(false));
  const ratios = of(true).map((one, at) => p99([one]) / p99([of(false)[at]]));
  const outcomes = {};
  for (const { outcomes: counted } of of(true)) {
    for (const [name, some] of Object.entries(counted.outcomes)) {
      for (const [what, count] of Object.entries(some)) {
        outcomes[name] = { ...outcomes[name], [what]: (outcomes[name]?.[what] ?? 0) + count };
      }
    }
  }
  console.table(outcomes);
  const failed = turns
    .flatMap(({ honest, probes }) => [...honest, ...probes])
    .filter(({ status }) => status !== 200);
  const grown = Math.max(...of(true).flatMap(({ rss }) => rss)) - median(of(false).flatMap(({ rss }) => rss));
  const checks = {
    [`honest p99 beside hostile / alone: ${ratio.toFixed(2)} (of each round ${ratios.map((one) => one.toFixed(2)).join(", ")}), at most ${MOST_RATIO}`]:
      ratio <= MOST_RATIO,
    [`honest pictures and probes that failed: ${failed.length}`]: failed.length === 0,
    [`memory beyond that of the load alone: ${Math.round(grown)} MiB, at most ${MOST_MIB}`]:
      grown <= MOST_MIB,
  };
  for (const [text, holds] of Object.entries(checks)) console.log(`${holds ? "ok" : "NOT"}  ${text}`);
  if (Object.values(checks).includes(false)) process.exitCode = 1;
}
