// Closes at random moments with calls in every stage: whatever was accepted is answered, whatever comes later is refused.
import { setTimeout as delay } from "node:timers/promises";
import { withStandin } from "./scene.mjs";
import { Tally, callAll, callClosed, undisturbed } from "./stages.mjs";
import { startOn } from "./standin.mjs";

const SIDE_BY_SIDE = 3;
const MOST_MS = 80;

export const closes = {
  name: "closes",
  what: "closes at random moments with calls in every stage, stub",
  full: { count: 200 },
  short: { count: 6 },
  async run(ledger, random, { count }) {
    await withStandin(ledger, { workMs: 3 }, async (python) => {
      const first = await startOn(python);
      const tally = new Tally(await undisturbed(first));
      await first.close();
      const waiting = Array.from({ length: count }, (_, n) => ({ n, random: random.fork() }));
      const done = { close: 0, "close twice": 0, dispose: 0 };
      const lane = async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          done[await once(python, next.random, tally)] += 1;
          if ((next.n + 1) % 50 === 0) console.log(`closes: ${next.n + 1} of ${count}`);
        }
      };
      await Promise.all(Array.from({ length: SIDE_BY_SIDE }, lane));
      const closed = Object.values(done).reduce((a, b) => a + b);
      ledger.check("closes", closed === count, `${closed} ${JSON.stringify(done)}`);
      tally.account(ledger);
      ledger.check(
        "calls after the close that were refused with CLOSED",
        tally.refused === count,
        tally.refused,
      );
    });
  },
};

/** One classifier, its calls and its close. @returns how it was closed */
async function once(python, random, tally) {
  const classifier = await startOn(python);
  // The first answer wakes the decoder; half of the closes come before that.
  if (random.integer(0, 1) === 1) await callAll(classifier, random, tally, 0);
  const calls = callAll(classifier, random, tally);
  const ms = random.integer(-20, MOST_MS);
  if (ms > 0) await delay(ms);
  const how = random.pick(["close", "close twice", "dispose"]);
  const closed =
    how === "dispose"
      ? classifier[Symbol.asyncDispose]()
      : Promise.all(
          Array.from({ length: how === "close" ? 1 : 2 }, () => classifier.close({ drainMs: Infinity })),
        );
  await callClosed(classifier, random, tally);
  await closed;
  await calls;
  return how;
}
