import { referenceAttestation } from "../image/attest/attestation.ts";
import { referenceDigests } from "../image/attest/built-in.ts";
import type { TransformsName } from "../classification/options.ts";
import { LEAST_MS } from "../checkpoints/deadline.ts";
import { specOf } from "../checkpoints/table.ts";
import type { WorkerInfo } from "../worker/info.ts";

/** What a fake classifier says of itself: that it is one. */
export function fakeInfo(
  weights: string,
  transforms: TransformsName,
  source: string,
  classes: number,
): WorkerInfo {
  return {
    package: "fake",
    protocol: 0,
    pid: process.pid,
    python: "none",
    executable: "none",
    environment: "explicit",
    environmentReason: "a fake classifier has none",
    versions: {},
    device: "fake",
    deviceName: "no network runs: createFakeClassifier() of isotorch/testing",
    deviceReason: `the answers come from ${source}`,
    threads: 0,
    threadsReason: `the answers come from ${source}`,
    precision: "fake",
    handoff: "tensor",
    model: "fake",
    weights: {
      name: `fake (${weights})`,
      path: "",
      sha256: "0".repeat(64),
      integrity: "unpinned",
      trained: false,
      transforms,
      remarks: [],
    },
    spec: specOf(transforms),
    maxBatch: 1,
    classes,
    embedding: 0,
    timeoutMs: LEAST_MS,
    warmupMs: 0,
    attestation: { ...referenceAttestation(), digests: referenceDigests() },
    workers: [],
  };
}
