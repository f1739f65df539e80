/** What is known of workers of this machine. */
import { IsotorchError } from "../base/errors.ts";
import { defaultTimeoutMs } from "../checkpoints/deadline.ts";
import type { Integrity } from "../checkpoints/integrity.ts";
import { isWeightsName } from "../checkpoints/table.ts";
import type { Checkpoint, TransformsName } from "../checkpoints/resolve.ts";
import type { AttestedEnvironment } from "../image/attest/attestation.ts";
import type { Handoff, WireSpec } from "../protocol/messages.ts";
import { PROTOCOL_VERSION } from "../protocol/wire.ts";
import type { Environment } from "../python/environment.ts";
import type { WorkerOptions } from "./options.ts";
import type { WorkerReady } from "./ready.ts";

/** What was chosen and what runs on this machine; every value was measured or answered, none assumed. */
export interface WorkerInfo {
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
  /** What crosses to the worker: what was asked for, or what suits the device. */
  readonly handoff: Handoff;
  readonly model: string;
  readonly weights: {
    readonly name: string;
    readonly path: string;
    readonly sha256: string;
    /** How surely the file is the one that is meant. */
    readonly integrity: Integrity;
    /** False for `untrained:SEED`: its answers mean nothing. Null for a custom file, of which nobody knows. */
    readonly trained: boolean | null;
    /** The weights whose preprocessing it is; null for one's own. */
    readonly transforms: TransformsName | null;
    /** Where in the file the state dict was, if not at the top. */
    readonly checkpointKey?: string;
    /** What was stripped from the front of each name, as `module.`, if anything. */
    readonly prefix?: string;
    /** What was decided of the file where it leaves something open, as whose names its classes have, each a sentence. */
    readonly remarks: readonly string[];
  };
  readonly spec: WireSpec;
  /** Pictures that a worker takes at once at most. */
  readonly maxBatch: number;
  /** Classes of the network. */
  readonly classes: number;
  /** Values of an embedding. */
  readonly embedding: number;
  /** What a call has that says no `timeoutMs` itself, milliseconds: the larger the network, the longer. */
  readonly timeoutMs: number;
  readonly warmupMs: number;
  /** What multiplies matrices on the CPU; most of a vision transformer's time is its. The last bits of answers change with it. */
  readonly blas: {
    /** Such as `OpenBLAS: openblas-pthread/libopenblasp-r0.3.21.so`; the same as in `versions`. */
    readonly library: string;
    /** 1e9 operations a second, of a product of two 256 × 256 matrices at the start; null on a GPU. */
    readonly gflops: number | null;
  };
  /** Which kinds of pictures and steps Node does, byte for byte as this environment does them, and which it leaves to it. */
  readonly attestation: AttestedEnvironment;
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

/** @param members each worker, once it was ready. */
export function describe(
  members: readonly WorkerReady[],
  environment: Environment,
  checkpoint: Checkpoint,
  { handoff, threads: wanted }: WorkerOptions,
): Omit<WorkerInfo, "attestation"> {
  const [ready] = members;
  if (ready === undefined) throw new IsotorchError("WORKER_ERROR", "No worker was ready yet.");
  const { hello, versions, device, deviceName, deviceReason, threads, threadsReason } = ready;
  const { precision, sha256, spec, model, transforms, checkpointKey, prefix, remarks } = ready;
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
      wanted === 0 && threadsReason === "asked for"
        ? `its share of the CPUs, one of ${members.length} workers`
        : threadsReason,
    precision,
    // A GPU normalises faster than four times the bytes get there.
    handoff: handoff ?? (device.startsWith("cuda") ? "pixels" : "tensor"),
    model,
    weights: {
      name: checkpoint.weights,
      path: checkpoint.path,
      sha256,
      integrity: checkpoint.integrity,
      trained: checkpoint.trained,
      transforms: transforms !== null && isWeightsName(transforms) ? transforms : null,
      ...(checkpointKey !== "" && { checkpointKey }),
      ...(prefix !== "" && { prefix }),
      remarks,
    },
    spec,
    maxBatch: ready.maxBatch,
    classes: ready.classes,
    embedding: ready.embedding,
    timeoutMs: defaultTimeoutMs(model),
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
