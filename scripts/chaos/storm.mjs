// Random faults from the catalogue under load, one after the other, in an order that the seed decides.
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Book, startsIn } from "./book.mjs";
import { FAULTS, drawFault } from "./faults.mjs";
import { keepCalling } from "./kills.mjs";
import { scene } from "./scene.mjs";

const SILENCE_MS = 1_500;
const SCHEDULED = 1_000;

export const storm = {
  name: "storm",
  what: "random faults of the catalogue under load, stub",
  full: { minutes: 1, faults: Number.MAX_SAFE_INTEGER },
  short: { minutes: 1, faults: 23 },
  async run(ledger, random, { minutes, faults }) {
    const schedule = Array.from({ length: SCHEDULED }, () => drawFault(random));
    // One of each comes first, so that a short run has met them all.
    const names = Object.keys(FAULTS);
    for (const [i, name] of names.entries()) schedule[i] = { ...schedule[i], name };
    const digest = createHash("sha256").update(JSON.stringify(schedule)).digest("hex").slice(0, 16);
    console.log(`storm: schedule ${digest}`);
    const end = performance.now() + minutes * 60_000;
    await scene(ledger, async ({ start, folder, journal }) => {
      const policy = { pingMs: 100, silenceMs: SILENCE_MS, overdueMs: 2_500 };
      const supervisor = await start({ journal, workMs: 1, policy });
      const book = new Book(supervisor);
      const load = keepCalling(book);
      let n = 0;
      for (; n < faults && performance.now() < end; n++) {
        const { name, gapMs, ms } = schedule[n % schedule.length];
        await delay(gapMs);
        await FAULTS[name]({ supervisor, book, folder, n, ms, silenceMs: SILENCE_MS });
        // A call may be hit once; who is hit twice alone counts as the poison, by design.
        await book.settled();
      }
      load.stop();
      await book.settled();
      book.account(ledger, journal);
      ledger.note(
        "faults, of kinds",
        `${n}, ${new Set(schedule.slice(0, n).map(({ name }) => name)).size} of ${names.length}`,
      );
      ledger.note("workers started", startsIn(journal));
      const { redelivered, dropped } = supervisor.stats();
      ledger.note("calls delivered again; messages dropped", `${redelivered}; ${dropped}`);
    });
  },
};
