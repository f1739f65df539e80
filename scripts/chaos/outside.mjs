// Workers that somebody ends every few seconds: no call is called poison for it, and whoever crashes them is found out.
import { setTimeout as delay } from "node:timers/promises";
import { Book, startsIn } from "./book.mjs";
import { keepCalling } from "./kills.mjs";
import { scene } from "./scene.mjs";
import { signal, until } from "./system.mjs";

const CALLERS = 4;
const READY_MS = 60_000;

export const outside = {
  name: "outside",
  what: "workers ended from outside every few seconds under load, stub",
  full: { count: 40, killMs: [2_000, 5_000], workMs: 300, crashes: 4 },
  short: { count: 6, killMs: [600, 1_500], workMs: 60, crashes: 1 },
  async run(ledger, random, { count, killMs, workMs, crashes }) {
    await scene(ledger, async ({ start, journal }) => {
      const supervisor = await start({ journal, workMs, policy: { batchSize: 2, silenceMs: 60_000 } });
      const book = new Book(supervisor);
      const load = keepCalling(book, CALLERS);
      const done = { SIGKILL: 0, SIGTERM: 0, SIGINT: 0 };
      const every = Math.max(1, Math.floor(count / crashes));
      for (let n = 0; n < count; n++) {
        // It lives for so long: what was hit is computed again within that.
        await until(() => supervisor.health().ready, READY_MS);
        if (n % every === 0) void book.call(`fault:segfault ${n}`, { allowed: ["POISON_INPUT"] });
        await delay(random.integer(...killMs));
        const { pid, starts } = supervisor.health();
        const how = random.pick(Object.keys(done));
        if (pid === undefined || !signal(pid, how)) continue;
        done[how] += 1;
        await until(() => supervisor.health().starts > starts, READY_MS);
      }
      load.stop();
      await book.settled();
      book.account(ledger, journal);
      ledger.note("ended from outside", JSON.stringify(done));
      ledger.note("workers started", startsIn(journal));
      ledger.note("calls delivered again", supervisor.stats().redelivered);
    });
  },
};
