/** What `info()` says, whoever answers. */
import { IsotorchError } from "../base/errors.ts";
import { defaultTimeoutMs } from "../checkpoints/deadline.ts";
import type { Integrity } from "../checkpoints/integrity.ts";
import type { Checkpoint, TransformsName } from "../checkpoints/resolve.ts";
import { isWeightsName } from "../checkpoints/table.ts";
import type { AttestedEnvironment } from "../image/attest/attestation.ts";
import type { Handoff, WireSpec } from "../protocol/messages.ts";
import type { Environment } from "../python/environment.ts";
import type { RemoteClassifierInfo } from "../remote/info.ts";
import { asPictureNetwork } from "../tasks/network.ts";
import { type MachineInfo, describeMachine, firstOf } from "../worker/machine/info.ts";
import type { WorkerReady } from "../worker/ready.ts";

/** A classifier in workers of this machine; every value was measured or answered, none assumed. */
export interface WorkerInfo extends MachineInfo {
  /** What crosses to the worker: what was asked for, or what suits the device. */
  readonly handoff: Handoff;
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
  /** Which kinds of pictures and steps Node does, byte for byte as this environment does them, and which it leaves to it. */
  readonly attestation: AttestedEnvironment;
}

/** What runs: a worker of this machine, or servers elsewhere. `environment` is `remote` for the latter alone. */
export type ClassifierInfo = WorkerInfo | RemoteClassifierInfo;

/** @param members each worker, once it was ready. */
export function describe(
  members: readonly WorkerReady[],
  environment: Environment,
  checkpoint: Checkpoint,
  asked: { readonly handoff?: Handoff | undefined; readonly threads: number },
): Omit<WorkerInfo, "attestation"> {
  const machine = describeMachine(members, environment, asked.threads);
  const { sha256, checkpointKey, prefix, remarks, maxBatch, network } = firstOf(members);
  const { transforms, spec, classes, embedding } = asPictureNetwork(network);
  return {
    ...machine,
    // A GPU normalises faster than four times the bytes get there.
    handoff: asked.handoff ?? (machine.device.startsWith("cuda") ? "pixels" : "tensor"),
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
    maxBatch,
    classes,
    embedding,
    timeoutMs: defaultTimeoutMs(machine.model),
  };
}

/**
 * What a worker of this machine says of itself.
 *
 * @param who wants it, as the beginning of a sentence.
 * @throws IsotorchError `INVALID_OPTION` where servers answer.
 */
export function ofWorker(info: ClassifierInfo, who: string): WorkerInfo {
  if (info.environment !== "remote") return info;
  throw new IsotorchError(
    "INVALID_OPTION",
    `${who} needs a worker of this machine, and this classifier asks servers elsewhere.`,
    { hint: "Leave `remote` out." },
  );
}
