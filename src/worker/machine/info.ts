/** What is known of workers of this machine, whatever they loaded. */
import { IsotorchError } from "../../base/errors.ts";
import { PROTOCOL_VERSION } from "../../protocol/wire.ts";
import type { Environment } from "../../python/environment.ts";
import type { WorkerReady } from "../ready.ts";

/** What was chosen and what runs on this machine; every value was measured or answered, none assumed. */
export interface MachineInfo {
  readonly package: string;
  readonly protocol: number;
  readonly pid: number;
  readonly python: string;
  readonly executable: string;
  /** How the environment was found; never `remote`, which tells servers elsewhere apart. */
  readonly environment: Environment["kind"];
  /** Why this environment was chosen, and which one was used before it. */
  readonly environmentReason: string;
  /** torch, torchvision, pillow, cuda and the like. */
  readonly versions: Readonly<Record<string, string>>;
  readonly device: string;
  readonly deviceName: string;
  /** Why this device was chosen. */
  readonly deviceReason: string;
  /** PyTorch's CPU threads. */
  readonly threads: number;
  /** Why so many: `asked for`, the environment variable that says so, `PyTorch's own choice` and the like. */
  readonly threadsReason: string;
  readonly precision: string;
  readonly model: string;
  readonly warmupMs: number;
  /** What multiplies matrices on the CPU; most of a transformer's time is its. The last bits of answers change with it. */
  readonly blas: {
    /** Such as `OpenBLAS: openblas-pthread/libopenblasp-r0.3.21.so`; the same as in `versions`. */
    readonly library: string;
    /** 1e9 operations a second, of a product of two 256 × 256 matrices at the start; null on a GPU. */
    readonly gflops: number | null;
  };
  /** Each worker; what is said above is said of the first. */
  readonly workers: readonly WorkerPlace[];
}

/** Where one of the workers computes. */
export interface WorkerPlace {
  readonly pid: number;
  readonly device: string;
  readonly deviceName: string;
  readonly threads: number;
}

/**
 * @param members each worker, once it was ready.
 * @param wantedThreads as they were asked for, 0 = nobody did.
 */
export function describeMachine(
  members: readonly WorkerReady[],
  environment: Environment,
  wantedThreads: number,
): MachineInfo {
  const ready = firstOf(members);
  const { hello, versions, device, deviceName, deviceReason, threads, threadsReason } = ready;
  return {
    package: hello.package,
    protocol: PROTOCOL_VERSION,
    pid: hello.pid,
    python: hello.python,
    executable: hello.executable,
    environment: environment.kind,
    environmentReason: environment.reason,
    versions,
    device,
    deviceName,
    deviceReason,
    threads,
    // Nobody asked for the count that several workers were given.
    threadsReason:
      wantedThreads === 0 && threadsReason === "asked for"
        ? `its share of the CPUs, one of ${members.length} workers`
        : threadsReason,
    precision: ready.precision,
    model: ready.model,
    warmupMs: ready.warmupMs,
    blas: { library: versions["blas"] ?? "unknown", gflops: ready.blasGflops },
    workers: members.map((member) => ({
      pid: member.hello.pid,
      device: member.device,
      deviceName: member.deviceName,
      threads: member.threads,
    })),
  };
}

/** The worker that speaks for all: they have loaded the same. @throws IsotorchError where none was ready yet. */
export function firstOf([first]: readonly WorkerReady[]): WorkerReady {
  if (first === undefined) throw new IsotorchError("WORKER_ERROR", "No worker was ready yet.");
  return first;
}
