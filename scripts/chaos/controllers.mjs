// Controllers that are killed: whatever they started is gone within two seconds, and what they left is swept.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { percentile } from "./ledger.mjs";
import { startStub } from "./stub.mjs";
import { marked, signal, socketDirectories, until } from "./system.mjs";

const CHILD = fileURLToPath(new URL("controllers-child.mjs", import.meta.url));
const MARK = "ISOTORCH_CHAOS";
const LIMIT_MS = 2_000;
const SIDE_BY_SIDE = 3;

export const controllers = {
  name: "controllers",
  what: "controllers killed by SIGKILL, a third of them while the worker holds the GIL",
  full: { kills: 100, real: 3 },
  short: { kills: 6, real: 0 },
  async run(ledger, random, options) {
    const plan = Array.from({ length: options.kills }, (_, n) => ({
      mode: n < options.real ? "real" : ["hold-gil", "load", "idle"][n % 3],
      waitMs: random.integer(0, 60),
    }));
    const waiting = [...plan];
    const results = [];
    const lane = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        results.push(await once(next));
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
    const gone = results.filter(({ tookMs }) => tookMs !== undefined);
    const held = plan.filter(({ mode }) => mode === "hold-gil").length;
    ledger.note("controllers killed, of them with the GIL held", `${plan.length}, ${held}`);
    const figure = `${gone.length} of ${plan.length}`;
    ledger.check(`descendants gone within ${LIMIT_MS} ms`, gone.length === plan.length, figure);
    const times = gone.map(({ tookMs }) => tookMs);
    ledger.note(
      "descendants gone after, p50 and most",
      `${percentile(times, 0.5).toFixed(0)} ms, ${Math.max(...times).toFixed(0)} ms`,
    );
    ledger.check(
      "controllers that had a worker to lose",
      results.every(({ had }) => had),
      results.filter(({ had }) => had).length,
    );
    // The next start sweeps what the killed ones could not remove.
    await (await startStub()).close(0);
    const left = results.flatMap(({ pid }) => socketDirectories(pid)).length;
    ledger.check("socket directories after the next start", left === 0, left);
  },
};

async function once({ mode, waitMs }) {
  const mark = randomBytes(8).toString("hex");
  const child = spawn(process.execPath, [CHILD, mode], {
    env: { ...process.env, [MARK]: mark },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = new Promise((resolve) => child.once("close", resolve));
  await Promise.race([new Promise((resolve) => child.stdout.once("data", resolve)), closed]);
  await delay(waitMs);
  const had = marked(MARK, mark).some((pid) => pid !== child.pid);
  signal(child.pid, "SIGKILL");
  const tookMs = await until(() => marked(MARK, mark).length === 0, LIMIT_MS);
  for (const pid of marked(MARK, mark)) signal(pid, "SIGKILL");
  await closed;
  return { pid: child.pid, had, tookMs };
}
