import { DEFAULT_POLICY } from "../../src/worker/supervision/policy.ts";
import type { SupervisionPolicy } from "../../src/worker/supervision/policy.ts";
import { phaseOf, supervise } from "../../src/worker/supervision/supervise.ts";
import { initialState } from "../../src/worker/supervision/state.ts";
import type { Effect, Event, State } from "../../src/worker/supervision/state.ts";

/** The reducer on a virtual clock, with what it asked for so far. */
export class Machine {
  state: State;
  now = 0;
  effects: Effect[] = [];
  readonly policy: SupervisionPolicy;

  constructor(over: Partial<SupervisionPolicy> = {}) {
    this.policy = { ...DEFAULT_POLICY, ...over };
    this.state = initialState(0, this.policy);
  }

  feed(event: Event): readonly Effect[] {
    const [state, effects] = supervise(this.state, event, { now: this.now, jitter: 0, policy: this.policy });
    this.state = state;
    this.effects.push(...effects);
    return effects;
  }

  /** Ticks on for so many milliseconds; a worker that is up answers its pings. */
  pass(ms: number, { answering = true }: { answering?: boolean } = {}): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now = Math.min(end, this.now + 100);
      const effects = this.feed({ type: "tick" });
      const pinged = effects.some(({ type }) => type === "ping");
      if (answering && (pinged || this.state.flight.length > 0))
        this.feed({ type: "heard", ...this.generation });
    }
  }

  get generation(): { generation: number } {
    return { generation: this.state.generation };
  }

  /** @param maxBatch pictures that the worker takes at once. @param warmupMs what its warm-up took. */
  up(maxBatch = 1, warmupMs = 0): this {
    this.feed({ type: "start" });
    this.feed({ type: "ready", maxBatch, warmupMs, sequential: true, ...this.generation });
    return this;
  }

  submit(...ids: number[]): void {
    for (const id of ids) this.feed({ type: "submit", id, bytes: 1000 });
  }

  answer(id: number): void {
    this.feed({ type: "answered", id, ...this.generation });
  }

  crash(fatal = false): void {
    this.feed({ type: "exit", fatal, ...this.generation });
  }

  /** Somebody ends it by SIGKILL. */
  killed(): void {
    this.feed({ type: "exit", fatal: false, outside: true, ...this.generation });
  }

  restarted(maxBatch = 1): void {
    this.pass(20_000);
    this.feed({ type: "ready", maxBatch, sequential: true, ...this.generation });
  }

  get phase(): string {
    return phaseOf(this.state);
  }

  sent(): number[] {
    return this.effects.flatMap((effect) => (effect.type === "send" ? [effect.id] : []));
  }

  /** The calls that were sent, batch by batch. */
  batches(): number[][] {
    const batches: number[][] = [];
    let open: number[] = [];
    for (const effect of this.effects) {
      if (effect.type !== "send") continue;
      open.push(effect.id);
      if (effect.following === 0) batches.push(open.splice(0));
    }
    return batches;
  }

  failures(): Record<number, string> {
    return Object.fromEntries(
      this.effects.flatMap((effect) => (effect.type === "fail" ? [[effect.id, effect.failure]] : [])),
    );
  }

  count(type: Effect["type"]): number {
    return this.effects.filter((effect) => effect.type === type).length;
  }
}
