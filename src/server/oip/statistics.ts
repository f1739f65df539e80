/** `GET …/stats`: Triton's statistics of a model, as far as they are measured here. */
import { VERSION } from "./metadata.ts";

/** A count, and the time that they took together, nanoseconds. */
class Duration {
  #count = 0;
  #ns = 0;

  add(ms: number): void {
    this.#count += 1;
    this.#ns += Math.round(ms * 1e6);
  }

  toJSON(): object {
    return { count: this.#count, ns: this.#ns };
  }
}

/** Our stages of a picture in each of Triton's; times that the worker did not tell are not made up. */
const STAGES = {
  queue: ["handover", "queue"],
  compute_input: ["decode", "preprocess", "read", "prepare"],
  compute_infer: ["forward"],
  compute_output: ["rank"],
} as const;

export class Statistics {
  readonly #name: string;
  readonly #success = new Duration();
  readonly #fail = new Duration();
  readonly #stages = {
    queue: new Duration(),
    compute_input: new Duration(),
    compute_infer: new Duration(),
    compute_output: new Duration(),
  };
  #pictures = 0;
  /** Milliseconds since 1970. */
  #last = 0;

  /** @param name of the model. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Counts a request by how it ends, and hands it on. */
  async request<T>(work: Promise<T>): Promise<T> {
    const started = performance.now();
    const count = (of: Duration): void => of.add(performance.now() - started);
    try {
      const answer = await work;
      count(this.#success);
      return answer;
    } catch (error) {
      count(this.#fail);
      throw error;
    }
  }

  /** A picture that was answered, with its milliseconds by stage. */
  picture(timings: Readonly<Record<string, number>>): void {
    this.#pictures += 1;
    this.#last = Date.now();
    for (const [name, stages] of Object.entries(STAGES)) {
      const known = stages.filter((stage) => timings[stage] !== undefined);
      const ms = known.reduce((sum, stage) => sum + (timings[stage] ?? 0), 0);
      if (known.length > 0) this.#stages[name as keyof typeof STAGES].add(ms);
    }
  }

  /** Its entry. @param executions how often the network was run. */
  read(executions: number): object {
    const none = { count: 0, ns: 0 };
    const inference = { success: this.#success, fail: this.#fail, ...this.#stages };
    return {
      name: this.#name,
      version: VERSION,
      last_inference: this.#last,
      inference_count: this.#pictures,
      execution_count: executions,
      inference_stats: { ...inference, cache_hit: none, cache_miss: none },
      batch_stats: [],
    };
  }
}
