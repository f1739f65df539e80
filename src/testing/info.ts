import { referenceAttestation } from "../image/attest/attestation.ts";
import { referenceDigests } from "../image/attest/built-in.ts";
import type { TransformsName } from "../classification/options.ts";
import { defaultTimeoutMs } from "../checkpoints/deadline.ts";
import type { WireSpec } from "../protocol/messages.ts";
import type { WorkerInfo } from "../classification/info.ts";
import type { MachineInfo } from "../worker/machine/info.ts";

/** What is known of a fake classifier. */
export interface FakeFacts {
  readonly weights: string;
  /** Null for preprocessing of one's own. */
  readonly transforms: TransformsName | null;
  readonly spec: WireSpec;
  /** Where its answers come from. */
  readonly source: string;
  /** The network that it stands for, where it was told. */
  readonly model: string | undefined;
  readonly classes: number;
  /** Values of an embedding; 0 where nobody knows. */
  readonly embedding: number;
}

/** What a fake classifier says of itself: that it is one. */
export function fakeInfo({
  weights,
  transforms,
  spec,
  source,
  model,
  classes,
  embedding,
}: FakeFacts): WorkerInfo {
  return {
    ...fakeMachine("createFakeClassifier()", source),
    handoff: "tensor",
    model: model ?? "fake",
    weights: {
      name: `fake (${weights})`,
      path: "",
      sha256: "0".repeat(64),
      integrity: "unpinned",
      trained: false,
      transforms,
      remarks: [],
    },
    spec,
    maxBatch: 1,
    classes,
    embedding,
    timeoutMs: defaultTimeoutMs(model),
    attestation: { ...referenceAttestation(), digests: referenceDigests() },
  };
}

/**
 * What a fake says of the machine that it does without.
 *
 * @param maker which function of `isotorch/testing` made it.
 * @param source where its answers come from.
 */
export function fakeMachine(maker: string, source: string): Omit<MachineInfo, "model"> {
  return {
    package: "fake",
    protocol: 0,
    pid: process.pid,
    python: "none",
    executable: "none",
    environment: "explicit",
    environmentReason: "a fake has none",
    versions: {},
    device: "fake",
    deviceName: `no network runs: ${maker} of isotorch/testing`,
    deviceReason: `the answers come from ${source}`,
    threads: 0,
    threadsReason: `the answers come from ${source}`,
    precision: "fake",
    warmupMs: 0,
    blas: { library: "none", gflops: null },
    workers: [],
  };
}
