// The supervision and the lifetime of processes, taken out piece by piece.
import { pytest, vitest } from "./mutation.mjs";

const SUPERVISE = "src/worker/supervision/supervise.ts";
const ADVANCE = "src/worker/supervision/advance.ts";
const EXIT = "src/worker/supervision/exit.ts";
const STALL = "src/worker/supervision/stall.ts";
const SUPERVISOR = "src/worker/supervisor.ts";
const BATCH = "src/worker/supervision/batch.ts";
const POOL = "src/worker/pool.ts";
const CHILD = "src/base/child.ts";
const SESSION = "src/worker/session.ts";
const DELIVERY = "src/worker/delivery.ts";
const PARTS_TEST = "test/worker/parts.test.ts";
const PY = "python/isotorch_worker";
const POLICY_TEST = "test/worker/supervision/supervise.test.ts";
const SUPERVISOR_TEST = "test/worker/supervisor.test.ts";
const SCHEDULES_TEST = "test/worker/schedules.test.ts";
const EXIT_TEST = "test/worker/supervision/exit.test.ts";
const STALL_TEST = "test/worker/supervision/stall.test.ts";
const POOL_TEST = "test/worker/pool.test.ts";
const SESSION_TEST = "test/worker/session.test.ts";
const PROCESS_GUARD = "test/worker/process.guard.test.ts";
const GUARDS = "test/python/test_guards.py";
const SERVE_TEST = "test/python/test_serve.py";
const TASKS_TEST = "test/python/test_tasks.py";

export const policy = [
  vitest(
    "generation fence of the policy",
    SUPERVISE,
    `  if ("generation" in event && event.generation !== state.generation) return [state, []];\n`,
    "",
    POLICY_TEST,
  ),
  vitest("redelivery cap", EXIT, `const AFTER_CRASH = 2;`, "const AFTER_CRASH = 99;", POLICY_TEST),
  vitest("cap of executions", EXIT, `const FROM_OUTSIDE = 3;`, "const FROM_OUTSIDE = 99;", EXIT_TEST),
  vitest("a third execution", EXIT, `const FROM_OUTSIDE = 3;`, "const FROM_OUTSIDE = 2;", EXIT_TEST),
  vitest("whose turn had not come", EXIT, `!never && !begun.includes(call)`, "false", EXIT_TEST),
  vitest("proof of an end from outside", EXIT, `isInnocent ? "killed" : "poison"`, `"poison"`, EXIT_TEST),
  vitest("stall", STALL, `busySince !== undefined && now`, "busySince !== undefined && -now", STALL_TEST),
  vitest(
    "quarantine",
    ADVANCE,
    `flight.length === 0 ? sendBatch(state, "suspects", suspects.slice(0, 1), at) : [state, []];`,
    `sendBatch(state, "suspects", suspects, at);`,
    POLICY_TEST,
  ),
  vitest(
    "no redelivery of settled calls",
    EXIT,
    `const lost = state.flight.filter((call) => !call.settled);`,
    "const lost = state.flight;",
    POLICY_TEST,
  ),
  vitest("circuit", EXIT, ` || exits.length > policy.maxExits`, "", POLICY_TEST),
  vitest(
    "silence kill",
    SUPERVISE,
    `  if (now - state.heardAt >= policy.silenceMs) return kill(ticked, "silent");\n`,
    "",
    POLICY_TEST,
  ),
  vitest("overdue kill", SUPERVISE, `return kill(ticked, "overdue");`, "void 0;", POLICY_TEST),
  vitest("sleep detection", SUPERVISE, `  if (slept) {`, `  if (slept && now < 0) {`, POLICY_TEST),
  vitest("queue limit by count", SUPERVISE, `held.length >= at.policy.maxRequests || `, "", POLICY_TEST),
  vitest(
    "queue limit by bytes",
    SUPERVISE,
    ` || (held.length > 0 && total > at.policy.maxBytes)`,
    "",
    POLICY_TEST,
  ),
  vitest(
    "one call in flight beside another",
    BATCH,
    `maxInFlight - new Set(flight.filter(({ single }) => !single).map(({ batch }) => batch)).size`,
    "1e9",
    POLICY_TEST,
  ),
  vitest(
    "company for a call that runs again",
    ADVANCE,
    `  if (flight.some((call) => call.executions > 1)) return [state, []];\n`,
    "",
    SCHEDULES_TEST,
  ),
  vitest("size of a batch", BATCH, ` || count === maxSize`, "", POLICY_TEST),
  vitest("bytes of a batch", BATCH, ` || bytes <= MAX_BATCH_BYTES`, " || true", POLICY_TEST),
  vitest("encoded pictures at a worker", BATCH, `apart.length < MAX_APART && `, "", POLICY_TEST),
  vitest("bytes of encoded pictures", BATCH, ` && total <= MAX_BATCH_BYTES`, "", POLICY_TEST),
  vitest(
    "wait for company",
    BATCH,
    `limits.maxDelayMs ? 0 : full`,
    `limits.maxDelayMs ? full : full`,
    POLICY_TEST,
  ),
  vitest("parts in their order", DELIVERY, `if (sequence !== this.#next) {`, "if (false) {", PARTS_TEST),
  vitest(
    "parts that are made anew are compared",
    DELIVERY,
    `else if (delivered !== digest) throw notTheSame(sequence);`,
    "",
    PARTS_TEST,
  ),
  vitest(
    "an answer made anew is not shorter",
    DELIVERY,
    `if (this.#next < this.#digests.length) throw`,
    "if (false) throw",
    PARTS_TEST,
  ),
  vitest("parts quiet the watchdog", SUPERVISE, `busySince: isBusy ? now : undefined,`, "", PARTS_TEST),
  vitest("what cannot be made anew", EXIT, `never || !replayable`, `never`, PARTS_TEST),
  vitest("a sent call stays with its worker", POOL, `sent || options.signal`, `options.signal`, POOL_TEST),
  vitest(
    "fatal exit codes",
    SUPERVISOR,
    `fatal: code !== null && code >= 64 && code <= 78`,
    "fatal: false",
    SUPERVISOR_TEST,
  ),
  vitest("recycling by memory", SUPERVISOR, `this.#feed({ type: "recycle" });`, "return;", SUPERVISOR_TEST),
  vitest(
    "drain limit",
    SUPERVISOR,
    `after(drainMs, () => this.#abandonCalls())`,
    "undefined",
    SUPERVISOR_TEST,
  ),
];

export const lifetime = [
  vitest(
    "group kill",
    CHILD,
    `process.kill(-this.pid, signal)`,
    "process.kill(this.pid, signal)",
    SUPERVISOR_TEST,
  ),
  vitest("SIGKILL after SIGTERM", CHILD, `setTimeout(() => this.kill(), graceMs)`, "undefined", SESSION_TEST),
  vitest(
    "SIGTERM after stop",
    SESSION,
    `after(STOP_MS, () => void this.#process.terminate())`,
    "undefined",
    SESSION_TEST,
  ),
  vitest("limit on what is kept of stderr", CHILD, `.subarray(-this.#limit)`, "", PROCESS_GUARD),
  vitest("start deadline", SESSION, `this.#arm(options.timeouts.helloMs);`, "", SESSION_TEST),
  vitest(
    "a second reply is dropped",
    SESSION,
    `      this.dropped += 1;\n      return undefined;`,
    "      return undefined;",
    SUPERVISOR_TEST,
  ),
  pytest(
    "one end for each request",
    `${PY}/serve.py`,
    `        if request.is_answered:\n            return\n`,
    "",
    TASKS_TEST,
    "-k",
    "ends_once",
  ),
  pytest(
    "a stream asks before each piece",
    `${PY}/serve.py`,
    `                self._check_stream(run)\n`,
    "                pass\n",
    TASKS_TEST,
    "-k",
    "between_parts or next_part",
  ),
  pytest("stdin watch", `${PY}/serve.py`, `    lifetime.watch_stdin()\n`, "", SERVE_TEST, "-k", "stdin"),
  pytest(
    "PDEATHSIG, the system call",
    `${PY}/lifetime.py`,
    `    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)\n`,
    "",
    SERVE_TEST,
    "-k",
    "gil",
  ),
  pytest(
    "PDEATHSIG, asked for by the worker",
    `${PY}/__main__.py`,
    `    lifetime.die_with_parent()\n`,
    "",
    GUARDS,
  ),
  pytest(
    "faulthandler, the switch",
    `${PY}/lifetime.py`,
    `    faulthandler.dump_traceback_later(SILENCE_SECONDS, exit=True, file=sys.__stderr__ or 2)\n`,
    "    pass\n",
    SERVE_TEST,
    "-k",
    "dead_mans",
  ),
  pytest(
    "faulthandler, armed by the worker",
    `${PY}/channel.py`,
    `                lifetime.beat()\n`,
    "                pass\n",
    GUARDS,
  ),
  pytest(
    "stacks of crashes",
    `${PY}/__main__.py`,
    `    lifetime.report_crashes()\n    lifetime.die`,
    "    lifetime.die",
    GUARDS,
  ),
  pytest(
    "stdout kept away from the protocol",
    `${PY}/__main__.py`,
    `    lifetime.keep_stdout_away()\n`,
    "",
    GUARDS,
  ),
];
