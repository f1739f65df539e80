/** Several workers as one: each call goes to the one with the least to do. */
import type { Backend, Health, Phase, RunOptions, WorkerHealth, WorkerStats } from "../backend.ts";
import { written } from "../base/async/written.ts";
import { IsotorchError } from "../base/errors.ts";
import { type InputOf, type PartOf, type TaskName, TASKS } from "../tasks/registry.ts";
import type { Reply } from "../tasks/task.ts";
import type { WorkerReady } from "./ready.ts";
import { Supervisor } from "./supervisor.ts";
import type { Call, CallOptions, SupervisorOptions } from "./supervisor.ts";

/** What one worker is started with; its phases are heard by the pool. */
export type Start = Omit<SupervisorOptions, "onPhase">;

export class Pool implements Backend {
  readonly tasks = Object.keys(TASKS) as TaskName[];
  readonly #workers: Supervisor[] = [];
  /** One entry per worker, also of those that are starting. */
  readonly #phases = new Set<{ phase: Phase }>();
  readonly #onPhase: (phase: Phase) => void;
  #phase: Phase = "idle";
  readonly #maxRequests: number;

  private constructor({ policy }: Start, onPhase: (phase: Phase) => void) {
    this.#maxRequests = policy.maxRequests;
    this.#onPhase = onPhase;
  }

  /**
   * Starts the first worker, and when it is ready the others, side by side.
   *
   * @param others what to start beside the first, which says by then where it computes.
   * @throws IsotorchError the first reason why one of them cannot be started. Nothing is left behind.
   */
  static async start(
    first: Start,
    others: (ready: WorkerReady) => readonly Start[],
    onPhase: (phase: Phase) => void,
  ): Promise<Pool> {
    const pool = new Pool(first, onPhase);
    const leader = await pool.#add(first);
    const rest = await Promise.allSettled(others(leader.ready).map((start) => pool.#add(start)));
    const failed = rest.find((result) => result.status === "rejected");
    if (failed === undefined) return pool;
    await pool.close(0);
    throw failed.reason;
  }

  /** What the first worker is and has loaded; the others have loaded the same. */
  get ready(): WorkerReady {
    return this.#first.ready;
  }

  /** What each worker is and has loaded. */
  get members(): readonly WorkerReady[] {
    return this.#workers.map(({ ready }) => ready);
  }

  /** Two batches for each worker, and two pictures that are decoded meanwhile; no more than half a queue. */
  get prefetch(): number {
    const [{ maxBatch } = { maxBatch: 1 }] = this.members;
    const busy = 2 * maxBatch * this.#workers.length + 2;
    return Math.max(1, Math.min(busy, Math.ceil(this.#maxRequests / 2)));
  }

  run<N extends TaskName>(
    task: N,
    input: InputOf<N>,
    { signal, deadlineMs }: RunOptions = {},
  ): AsyncGenerator<PartOf<N>, void, undefined> {
    const { isReplayable, contentOf, partOf } = TASKS[task];
    return written(async (write, ended) => {
      const call = { task, isReplayable, ...contentOf(input) };
      return this.#run(call, (reply) => write(partOf(reply)), { signal: ended, deadlineMs });
    }, signal);
  }

  /**
   * At the worker with the least open calls among those that are up. A call that a worker refuses before it was sent, because
   * its circuit is open or its queue is full, goes to another.
   */
  async #run(call: Call, write: (reply: Reply) => void, options: CallOptions): Promise<void> {
    const untried = new Set(this.#workers);
    for (;;) {
      const worker = leastBusy(untried);
      untried.delete(worker);
      let sent = false;
      const onSent = (): void => void (sent = true);
      try {
        return await worker.run(call, write, { ...options, onSent });
      } catch (error) {
        const final = sent || options.signal?.aborted === true || isClosed(error);
        if (final || untried.size === 0) throw error;
      }
    }
  }

  health(): Health {
    const workers = this.#workers.map((worker) => worker.health());
    const sum = (pick: (health: WorkerHealth) => number): number =>
      workers.reduce((total, health) => total + pick(health), 0);
    return {
      phase: this.#phase,
      ready: workers.some(({ ready }) => ready),
      starts: sum(({ starts }) => starts),
      recentExits: sum(({ recentExits }) => recentExits),
      silentMs: Math.min(...workers.map(({ silentMs }) => silentMs)),
      pid: workers.find(({ ready }) => ready)?.pid ?? workers[0]?.pid,
      waiting: sum(({ waiting }) => waiting),
      inFlight: sum(({ inFlight }) => inFlight),
      lastFailure: workers.find(({ lastFailure }) => lastFailure !== undefined)?.lastFailure,
      workers,
    };
  }

  stats(): WorkerStats {
    const all = this.#workers.map((worker) => worker.stats());
    const names = Object.keys(this.#first.stats()) as (keyof WorkerStats)[];
    const sums = names.map((name) => [name, all.reduce((total, stats) => total + stats[name], 0)]);
    return Object.fromEntries(sums) as Record<keyof WorkerStats, number>;
  }

  /** As `Supervisor.close`, for all. */
  async close(drainMs?: number): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close(drainMs)));
  }

  get #first(): Supervisor {
    const [first] = this.#workers;
    if (first === undefined) throw new IsotorchError("WORKER_ERROR", "No worker was ready yet.");
    return first;
  }

  async #add(start: Start): Promise<Supervisor> {
    const place = { phase: "idle" as Phase };
    this.#phases.add(place);
    const onPhase = (phase: Phase): void => {
      place.phase = phase;
      this.#report();
    };
    const worker = await Supervisor.start({ ...start, onPhase });
    this.#workers.push(worker);
    return worker;
  }

  #report(): void {
    const phases = [...this.#phases].map(({ phase }) => phase);
    const phase = BEST_FIRST.find((candidate) => phases.includes(candidate)) ?? "idle";
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#onPhase(phase);
  }
}

/** Of several workers the one speaks for all that is furthest on the way to answering. */
const BEST_FIRST: readonly Phase[] = [
  "busy",
  "ready",
  "loading",
  "starting",
  "backing-off",
  "idle",
  "draining",
  "open",
  "failed",
  "stopped",
];

function leastBusy(workers: ReadonlySet<Supervisor>): Supervisor {
  const [first, ...rest] = workers;
  if (first === undefined) throw new IsotorchError("CLOSED", "There is no worker.");
  return rest.reduce((best, worker) => {
    const better = worker.isUp === best.isUp ? worker.openCalls < best.openCalls : worker.isUp;
    return better ? worker : best;
  }, first);
}

function isClosed(error: unknown): boolean {
  return error instanceof IsotorchError && error.code === "CLOSED";
}
