// Ten times more calls than the worker can answer: it goes on answering as many as before, in order; the rest hear so at once.
import { setTimeout as delay } from "node:timers/promises";
import { MIB, percentile } from "./ledger.mjs";
import { scene } from "./scene.mjs";
import { ask, digestOf } from "./stub.mjs";

const WORK_MS = 5;
const TIMES = 10;
const STEP_MS = 10;
const CALLERS = 16;
/** Answers that come in one message. */
const BATCH = 8;

export const overload = {
  name: "overload",
  what: "ten times overload",
  full: { seconds: 60, measureSeconds: 10, goodput: 0.9, rejectionMs: 5 },
  // A short run on a busy machine says of rates that there is one, and nothing of milliseconds.
  short: { seconds: 3, measureSeconds: 1.5, goodput: 0.01, rejectionMs: Infinity },
  async run(ledger, _random, options) {
    await scene(ledger, async ({ start }) => {
      const supervisor = await start({ journal: "/dev/null", workMs: WORK_MS });
      const capacity = await measure(supervisor, options.measureSeconds);
      const heapBefore = process.memoryUsage().heapUsed;
      const { answered, rejected, order, wrong, seconds } = await flood(
        supervisor,
        capacity * TIMES,
        options.seconds,
      );
      const goodput = answered / seconds;
      const offered = (answered + rejected.length) / seconds;
      ledger.note("capacity measured before, calls per second", capacity.toFixed(1));
      ledger.note("offered, calls per second", offered.toFixed(0));
      ledger.check(
        `goodput at least ${options.goodput * 100} % of the capacity`,
        goodput >= options.goodput * capacity,
        `${goodput.toFixed(1)}, ${((100 * goodput) / capacity).toFixed(1)} %`,
      );
      const p99 = percentile(
        rejected.map(({ ms }) => ms),
        0.99,
      );
      ledger.check(
        `rejections, p99 under ${options.rejectionMs} ms`,
        p99 < options.rejectionMs,
        `${p99.toFixed(3)} ms of ${rejected.length}`,
      );
      const waited = Math.max(0, ...rejected.map(({ answers }) => answers));
      ledger.check(
        `answers that a rejection waited for, at most ${BATCH}`,
        waited <= BATCH && rejected.length > 0,
        waited,
      );
      const inOrder = order.every((id, index) => index === 0 || id > order[index - 1]);
      ledger.check("accepted calls answered first in, first out", inOrder, `${order.length} answers`);
      ledger.check("answers that are not their own", wrong === 0, wrong);
      ledger.note(
        "heap afterwards, against before",
        `${((process.memoryUsage().heapUsed - heapBefore) / MIB).toFixed(1)} MiB`,
      );
    });
  },
};

/** Calls per second with as many callers as keep the worker busy. */
async function measure(supervisor, seconds) {
  let count = 0;
  const started = performance.now();
  const end = started + seconds * 1000;
  const caller = async (index) => {
    for (let n = 0; performance.now() < end; n++, count++) await ask(supervisor, `measure ${index}.${n}`);
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, index) => caller(index)));
  return count / ((performance.now() - started) / 1000);
}

async function flood(supervisor, perSecond, seconds) {
  const seen = { answered: 0, rejected: [], order: [], wrong: 0 };
  const open = new Set();
  const call = (id) => {
    const text = `flood ${id}`;
    const started = performance.now();
    const before = seen.order.length;
    const done = ask(supervisor, text, { timeoutMs: 120_000 })
      .then(
        (value) => {
          seen.order.push(id);
          if (value !== digestOf(text)) seen.wrong += 1;
        },
        (error) => {
          if (error?.code === "QUEUE_FULL")
            seen.rejected.push({ ms: performance.now() - started, answers: seen.order.length - before });
          else seen.wrong += 1;
        },
      )
      .finally(() => open.delete(done));
    open.add(done);
  };
  const started = performance.now();
  for (let id = 0, elapsed = 0; elapsed < seconds; elapsed = (performance.now() - started) / 1000) {
    for (const due = Math.floor(elapsed * perSecond); id < due; id++) call(id);
    await delay(STEP_MS);
  }
  seen.answered = seen.order.length;
  const took = (performance.now() - started) / 1000;
  await Promise.all(open);
  return { ...seen, seconds: took };
}
