/** The numbers of the supervision; each is an option. */
import { defaultTimeoutMs } from "../../checkpoints/deadline.ts";

export interface SupervisionPolicy {
  /** Milliseconds from spawn to `hello`. @default 60000 */
  readonly helloMs: number;
  /**
   * Milliseconds from `load` to `ready`; every `progress` starts them again.
   * @default 120000, or four times what a call of the network has, where its `model` is known before it is loaded
   */
  readonly readyMs: number;
  /** An idle worker is pinged this often, milliseconds. @default 1000 */
  readonly pingMs: number;
  /** A worker that says nothing for so long is dead, milliseconds. @default 10000 */
  readonly silenceMs: number;
  /**
   * A request that computes for longer is stuck, and its worker is killed, milliseconds.
   * @default 60000, or twice what a call of the network has, where its `model` is known before it is loaded
   */
  readonly overdueMs: number;
  /** Milliseconds before each restart after an unplanned exit; the last one repeats. ± 20 % of jitter. */
  readonly restartDelaysMs: readonly number[];
  /** The delays start over after so many milliseconds of being ready, and one success. @default 30000 */
  readonly steadyMs: number;
  /** More unplanned exits than this within `exitWindowMs` open the circuit. @default 5 */
  readonly maxExits: number;
  /** @default 300000 */
  readonly exitWindowMs: number;
  /** An open circuit tries again after this, doubling up to `maxOpenMs`, milliseconds. @default 30000 */
  readonly openMs: number;
  /** @default 300000 */
  readonly maxOpenMs: number;
  /** Pictures in a batch at most; 0 = as many as the worker chooses by its device and precision. @default 0 */
  readonly batchSize: number;
  /** How long a batch that is not full waits for company, milliseconds. @default 0 */
  readonly batchDelayMs: number;
  /** Batches at the worker at a time: one computes, one waits beside it; encoded pictures do not count. @default 2 */
  readonly maxInFlight: number;
  /** Waiting and in flight together. @default 128 */
  readonly maxRequests: number;
  /** Bytes of payload, waiting and in flight together. @default 96 MiB */
  readonly maxBytes: number;
  /** `once`: a call whose worker died runs once more, alone, and where the worker was ended from outside a third time; `never`: it fails with `WORKER_DIED`. @default "once" */
  readonly redelivery: "once" | "never";
  /** An idle worker is stopped after this and started again by the next call, milliseconds; 0 = never. @default 0 */
  readonly idleShutdownMs: number;
  /**
   * A worker with more than this in RAM, as it tells with its answer to each ping, is replaced between requests, bytes;
   * 0 = never. @default 0
   */
  readonly maxWorkerBytes: number;
}

export const DEFAULT_POLICY: SupervisionPolicy = {
  helloMs: 60_000,
  readyMs: 120_000,
  pingMs: 1_000,
  silenceMs: 10_000,
  overdueMs: 60_000,
  restartDelaysMs: [250, 1_000, 2_000, 4_000, 8_000, 15_000],
  steadyMs: 30_000,
  maxExits: 5,
  exitWindowMs: 300_000,
  openMs: 30_000,
  maxOpenMs: 300_000,
  batchSize: 0,
  batchDelayMs: 0,
  maxInFlight: 2,
  maxRequests: 128,
  maxBytes: 96 * 1024 * 1024,
  redelivery: "once",
  idleShutdownMs: 0,
  maxWorkerBytes: 0,
};

/** The defaults for a network: a large one is slow, and not stuck. @param model undefined where its file is still to say it. */
export function patientWith(model: string | undefined): SupervisionPolicy {
  return { ...DEFAULT_POLICY, readyMs: 4 * defaultTimeoutMs(model), overdueMs: 2 * defaultTimeoutMs(model) };
}
