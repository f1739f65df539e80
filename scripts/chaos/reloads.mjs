// Reloads at random moments with calls in every stage: each call is answered, by the worker that it began with.
import { setTimeout as delay } from "node:timers/promises";
import { withStandin } from "./scene.mjs";
import { Tally, callAll, undisturbed } from "./stages.mjs";
import { startOn } from "./standin.mjs";

const MOST_MS = 60;
const LANES = 2;

export const reloads = {
  name: "reloads",
  what: "reloads at random moments with calls in every stage, stub",
  full: { count: 60 },
  short: { count: 4 },
  async run(ledger, random, { count }) {
    await withStandin(ledger, { workMs: 3 }, async (python) => {
      // A start's signal that has fired since is nothing to a reload.
      const start = new AbortController();
      const classifier = await startOn(python, { signal: start.signal });
      start.abort(new Error("the limit of the start"));
      const tally = new Tally(await undisturbed(classifier));
      const load = { on: true };
      const lane = async (own) => {
        while (load.on) await callAll(classifier, own, tally, own.integer(0, 3));
      };
      const lanes = Array.from({ length: LANES }, () => lane(random.fork()));
      const pids = new Set([classifier.info().pid]);
      let reloaded = 0;
      for (let n = 0; n < count; n++) {
        await delay(random.integer(0, MOST_MS));
        await classifier.reload({});
        pids.add(classifier.info().pid);
        reloaded += 1;
        if ((n + 1) % 20 === 0) console.log(`reloads: ${n + 1} of ${count}`);
      }
      load.on = false;
      await Promise.all(lanes);
      // The last one races the close.
      const calls = callAll(classifier, random, tally);
      const overtaken = classifier.reload({}).then(
        () => "done",
        (error) => error?.code ?? String(error),
      );
      await classifier.close();
      await calls;
      const outcome = await overtaken;
      ledger.check("reloads", reloaded === count, reloaded);
      ledger.check("workers that answered in turn", pids.size === count + 1, pids.size);
      ledger.check(
        "a reload that a close overtakes",
        ["done", "CLOSED", "ABORTED"].includes(outcome),
        outcome,
      );
      tally.account(ledger);
    });
  },
};
