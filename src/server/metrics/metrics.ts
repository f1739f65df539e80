/** What is measured, under which name. `docs/server.md` explains each. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Pool } from "../../image/pool.ts";
import type { Models, ServedModel } from "../models.ts";
import type { Admission } from "../request/admission.ts";
import { PACKAGE_VERSION } from "../../base/version.ts";
import { Counter, Histogram, Reading } from "./registry.ts";
import type { Family } from "./registry.ts";

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const LOOK_MS = 10;
const PHASES = [
  "idle",
  "starting",
  "loading",
  "ready",
  "busy",
  "backing-off",
  "open",
  "draining",
  "stopped",
  "failed",
] as const;

export interface Sources {
  readonly models: Models;
  readonly decoder: Pick<Pool, "stats">;
  readonly admission: Admission;
}

export class Metrics {
  readonly #requests = new Counter("isotorch_http_requests_total", "Requests that were answered.");
  readonly #latency = new Histogram(
    "isotorch_http_request_seconds",
    "From a request's headers to the end of its answer.",
    SECONDS,
  );
  readonly #pictures = new Counter("isotorch_pictures_total", "Pictures and tensors, by how they ended.");
  readonly #stages = new Histogram("isotorch_stage_seconds", "Time of one picture in one stage.", SECONDS);
  readonly #tokens = new Counter("isotorch_tokens_total", "Tokens that were generated.");
  readonly #firstToken = new Histogram(
    "isotorch_first_token_seconds",
    "From a request's headers to the first token of a text.",
    SECONDS,
  );
  readonly #perToken = new Histogram(
    "isotorch_token_seconds",
    "Time of a token behind the first, the mean of each text.",
    SECONDS,
  );
  readonly #delay = monitorEventLoopDelay({ resolution: LOOK_MS });
  readonly #families: readonly Family[];
  readonly #isOne: boolean;

  constructor(sources: Sources) {
    this.#delay.enable();
    this.#isOne = sources.models.isOne;
    this.#families = [
      this.#requests,
      this.#latency,
      this.#pictures,
      this.#stages,
      this.#tokens,
      this.#firstToken,
      this.#perToken,
      ...workerFamilies(sources.models),
      ...serverFamilies(sources),
      new Reading(
        "isotorch_event_loop_lag_seconds",
        "Delay of Node's event loop since the last look.",
        "gauge",
        () => this.#lag(),
      ),
    ];
  }

  /** A request that was answered, or given up. */
  request(
    labels: { readonly route: string; readonly method: string; readonly status: string },
    ms: number,
  ): void {
    this.#requests.add(labels);
    this.#latency.observe({ route: labels.route }, ms / 1_000);
  }

  /** A picture that came to its end at a model: `ok`, or the code of its failure. */
  picture(model: string, outcome: string, timings: Readonly<Record<string, number>> = {}): void {
    const labels = this.#isOne ? {} : { model };
    this.#pictures.add({ ...labels, outcome });
    for (const [stage, ms] of Object.entries(timings)) this.#stages.observe({ ...labels, stage }, ms / 1_000);
  }

  /** A text that came to its end. @param ms from the request's headers on: to its first token, and to its last. */
  text(model: string, tokens: number, ms: { readonly first: number; readonly last: number }): void {
    const labels = { model };
    this.#tokens.add(labels, tokens);
    if (tokens > 0) this.#firstToken.observe(labels, ms.first / 1_000);
    if (tokens > 1) this.#perToken.observe(labels, (ms.last - ms.first) / (tokens - 1) / 1_000);
  }

  render(): string {
    return this.#families.map((family) => family.render()).join("");
  }

  close(): void {
    this.#delay.disable();
  }

  #lag(): [Record<string, string>, number][] {
    // What is measured is the time between two looks.
    const seconds = (nanoseconds: number): number =>
      Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e9 - LOOK_MS / 1_000) : 0;
    const quantile = (q: number): [Record<string, string>, number] => [
      { quantile: String(q) },
      seconds(this.#delay.percentile(q * 100)),
    ];
    const read = [quantile(0.5), quantile(0.99), quantile(1)];
    this.#delay.reset();
    return read;
  }
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** Of each model; where there are several, each sample says whose it is. */
function workerFamilies(models: Models): Family[] {
  const family = (
    kind: "gauge" | "counter",
    name: string,
    help: string,
    read: (classifier: ServedModel["classifier"]) => number | readonly Sample[],
  ): Reading =>
    new Reading(name, help, kind, () =>
      models.all.flatMap((model) => {
        const labels = models.isOne ? {} : { model: model.name };
        const value = read(model.classifier);
        const samples: readonly Sample[] = typeof value === "number" ? [[{}, value]] : value;
        return samples.map(([own, number]) => [{ ...labels, ...own }, number] as const);
      }),
    );
  return [
    family("gauge", "isotorch_worker_ready", "1 where a worker answered a moment ago.", (classifier) =>
      Number(classifier.health().ready),
    ),
    family("gauge", "isotorch_worker_phase", "1 for the phase that the worker is in.", (classifier) => {
      const { phase } = classifier.health();
      return PHASES.map((name) => [{ phase: name }, Number(name === phase)] as const);
    }),
    family(
      "counter",
      "isotorch_worker_restarts_total",
      "Starts of the worker after the first.",
      (classifier) => Math.max(0, classifier.stats().starts - 1),
    ),
    family(
      "gauge",
      "isotorch_worker_recent_exits",
      "Unplanned exits within the policy's window.",
      (classifier) => classifier.health().recentExits,
    ),
    family(
      "gauge",
      "isotorch_worker_silent_seconds",
      "Since the worker was last heard of.",
      (classifier) => classifier.health().silentMs / 1_000,
    ),
    family(
      "counter",
      "isotorch_worker_calls_total",
      "Calls to the worker, by what became of them.",
      (classifier) => {
        const { submitted, succeeded, failed, redelivered } = classifier.stats();
        return Object.entries({ submitted, succeeded, failed, redelivered }).map(
          ([event, n]) => [{ event }, n] as const,
        );
      },
    ),
    family(
      "counter",
      "isotorch_worker_messages_dropped_total",
      "Messages that were late, unknown or malformed.",
      (classifier) => classifier.stats().dropped,
    ),
    family(
      "gauge",
      "isotorch_queue_waiting",
      "Calls that wait for the worker.",
      (classifier) => classifier.health().waiting,
    ),
    family(
      "gauge",
      "isotorch_queue_in_flight",
      "Calls at the worker.",
      (classifier) => classifier.health().inFlight,
    ),
    family("gauge", "isotorch_info", "1; what runs.", (classifier) => {
      const { weights, device, versions, precision } = classifier.info();
      const labels = {
        version: PACKAGE_VERSION,
        weights: weights.name ?? "",
        device: device ?? "",
        precision: precision ?? "",
        torch: versions["torch"] ?? "",
      };
      return [[labels, 1]];
    }),
  ];
}

function serverFamilies({ decoder, admission }: Sources): Family[] {
  return [
    gauge(
      "isotorch_http_requests_in_flight",
      "Requests for classes that are being answered.",
      () => admission.requests,
    ),
    gauge("isotorch_decoder_busy", "Decoder processes at work.", () => decoder.stats().busy),
    gauge("isotorch_decoder_waiting", "Pictures that wait for a decoder.", () => decoder.stats().waiting),
    new Reading("isotorch_decoder_restarts_total", "Decoder processes that were replaced.", "counter", () => {
      const { killed, died } = decoder.stats();
      return [
        [{ reason: "timeout" }, killed],
        [{ reason: "exit" }, died],
      ];
    }),
    counter("process_cpu_seconds_total", "CPU time of the server itself.", () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }),
    gauge("process_resident_memory_bytes", "Memory of the server itself.", () => process.memoryUsage.rss()),
    gauge(
      "process_start_time_seconds",
      "When the server started, Unix time.",
      () => performance.timeOrigin / 1_000,
    ),
  ];
}

function gauge(name: string, help: string, read: () => number): Reading {
  return new Reading(name, help, "gauge", read);
}

function counter(name: string, help: string, read: () => number): Reading {
  return new Reading(name, help, "counter", read);
}
