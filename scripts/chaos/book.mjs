// Every call of a run: what it was, what became of it, how often it was executed.
import { readFileSync } from "node:fs";
import { ask, digestOf, runOf } from "./stub.mjs";

/** Milliseconds beyond the deadline that are promised, and what a busy machine is forgiven here. */
const PROMISED_MS = 250;
const FORGIVEN_MS = 5_000;
const DEADLINE_MS = 60_000;

export class Book {
  #calls = [];
  #open = new Set();

  constructor(supervisor) {
    this.supervisor = supervisor;
  }

  /** Makes one call; `allowed` are the error codes that it may end with. */
  call(text, { allowed = [], timeoutMs = DEADLINE_MS, signal } = {}) {
    const call = {
      text,
      allowed,
      timeoutMs,
      startedAt: performance.now(),
      settled: 0,
      code: undefined,
      value: undefined,
    };
    this.#calls.push(call);
    const settle = (change) => {
      Object.assign(call, change, { settled: call.settled + 1, tookMs: performance.now() - call.startedAt });
    };
    const done = ask(this.supervisor, text, { timeoutMs, signal })
      .then(
        (value) => settle({ value }),
        (error) => settle({ code: error?.code ?? String(error) }),
      )
      .finally(() => this.#open.delete(done));
    this.#open.add(done);
    return done;
  }

  get open() {
    return this.#open.size;
  }

  get size() {
    return this.#calls.length;
  }

  /** Waits for the calls that are open now, and for those that joined them at the worker meanwhile. */
  async settled() {
    await Promise.allSettled(this.#open);
    await Promise.allSettled(this.#open);
  }

  /** Writes what became of the calls into the ledger. */
  account(ledger, journal) {
    const calls = this.#calls;
    const count = (test) => calls.filter(test).length;
    const notOnce = count(({ settled }) => settled !== 1);
    ledger.check("calls settled exactly once", notOnce === 0, `${calls.length - notOnce} of ${calls.length}`);
    const answered = count(({ value }) => value !== undefined);
    const wrong = count(({ text, value }) => value !== undefined && value !== digestOf(text));
    ledger.check(
      "answers that are those of their own picture",
      wrong === 0,
      `${answered - wrong} of ${answered}`,
    );
    const unexpected = calls.filter(({ code, allowed }) => code !== undefined && !allowed.includes(code));
    const codes = [...new Set(unexpected.map(({ code }) => code))]
      .map((code) => `${code} ${unexpected.filter((call) => call.code === code).length}`)
      .join(", ");
    ledger.check("errors that nobody asked for", unexpected.length === 0, `${unexpected.length} ${codes}`);
    const late = calls.map(({ tookMs = Infinity, timeoutMs }) => tookMs - timeoutMs);
    const latest = Math.max(...late);
    const beyond = late.filter((ms) => ms > PROMISED_MS).length;
    ledger.check(
      `calls beyond their deadline + ${PROMISED_MS} ms`,
      latest <= FORGIVEN_MS,
      `${beyond}, the latest ${latest > 0 ? `${latest.toFixed(0)} ms after` : "before"} its deadline`,
    );
    const executions = executionsIn(journal);
    const most = Math.max(0, ...calls.map(({ text }) => executions.get(runOf(text)) ?? 0));
    const twice = count(({ text }) => executions.get(runOf(text)) === 2);
    const thrice = count(({ text }) => executions.get(runOf(text)) === 3);
    ledger.check(
      "executions of one call, at most",
      most <= 3,
      `${most} (${twice} calls ran twice, ${thrice} three times)`,
    );
  }
}

function executionsIn(journal) {
  const counts = new Map();
  for (const line of readFileSync(journal, "utf8").split("\n")) {
    if (line.startsWith("run ")) counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return counts;
}

/** How many workers the journal saw. */
export function startsIn(journal) {
  return readFileSync(journal, "utf8")
    .split("\n")
    .filter((line) => line === "start").length;
}
