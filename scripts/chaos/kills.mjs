// Worker kills under load: at random moments, of workers that compute and of workers that start.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Book, startsIn } from "./book.mjs";
import { scene } from "./scene.mjs";
import { CAN_TELL, children, signal, until } from "./system.mjs";

const CALLERS = 8;
const READY_MS = 30_000;

export const kills = {
  name: "kills",
  what: "worker kills under load, stub",
  full: { kills: 1_000 },
  short: { kills: 12 },
  async run(ledger, random, options) {
    await scene(ledger, async ({ start, folder, journal }) => {
      const supervisor = await start({ journal, workMs: 1, policy: { silenceMs: 60_000 } });
      const book = new Book(supervisor);
      const load = keepCalling(book);
      const done = { SIGKILL: 0, SIGSEGV: 0, "exit 0": 0, "while starting": 0 };
      for (let n = 0; n < options.kills; n++) {
        const how = random.pick(Object.keys(done));
        const waitMs = random.integer(0, 25);
        await until(() => supervisor.health().ready, READY_MS);
        await delay(waitMs);
        const { starts } = supervisor.health();
        if (how === "exit 0") void book.call(`fault:exit-0@${join(folder, `exit-${n}`)} ${n}`);
        else await kill(supervisor, how, waitMs);
        done[how] += 1;
        // A call may be hit once; who is hit twice alone counts as the poison, by design. Until the end is noticed, calls
        // still go to the worker that is no more: only then is it known who was hit.
        await until(() => supervisor.health().starts > starts, READY_MS);
        await book.settled();
      }
      load.stop();
      await book.settled();
      book.account(ledger, journal);
      ledger.check(
        "kills",
        Object.values(done).reduce((a, b) => a + b) === options.kills,
        JSON.stringify(done),
      );
      ledger.note("workers started", startsIn(journal));
      ledger.note("calls delivered again", supervisor.stats().redelivered);
    });
  },
};

async function kill(supervisor, how, waitMs) {
  const pid = supervisor.health().pid;
  if (pid !== undefined) signal(pid, how === "SIGSEGV" ? how : "SIGKILL");
  if (how !== "while starting" || !CAN_TELL) return;
  await until(() => supervisor.health().phase === "starting", READY_MS);
  await delay(waitMs);
  // A kill in the moment in which it becomes ready would hit the call that waits for it a second time. So it is held first:
  // what it said until then is heard, twice around the event loop, and after that it cannot become ready any more.
  const held = children();
  for (const child of held) signal(child, "SIGSTOP");
  await delay(50);
  await delay(50);
  const then = supervisor.health().phase === "starting" ? "SIGKILL" : "SIGCONT";
  for (const child of held) signal(child, then);
}

/** Callers that each make one call after the other until told to stop. */
export function keepCalling(book, callers = CALLERS) {
  const load = { on: true };
  const one = async (caller) => {
    for (let n = 0; load.on; n++) await book.call(`caller ${caller}, call ${n}`);
  };
  for (let caller = 0; caller < callers; caller++) void one(caller);
  return {
    stop() {
      load.on = false;
    },
  };
}
