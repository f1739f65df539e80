/** Who answers a classifier's calls: workers of this machine (`worker/pool.ts`), or servers elsewhere (`remote/`). */
import type { Attestation } from "./image/attest/attestation.ts";
import type { Digests } from "./image/attest/built-in.ts";
import type { Health } from "./worker/pool.ts";
import type { WorkerSpec } from "./worker/start.ts";
import type { CallFields, RequestOptions, WorkerStats } from "./worker/supervisor.ts";
import type { Frame, MessageOf } from "./protocol/wire.ts";

/** What an environment makes of the attestation's pictures, and who says so. */
export interface AttestationAnswer {
  readonly source: Attestation["source"];
  readonly digests: Digests;
}

export interface Backend {
  readonly ready: {
    /** The preprocessing that belongs to the network. */
    readonly spec: WorkerSpec;
    /** Its labels, by index. */
    readonly categories: readonly string[];
    readonly models: readonly string[];
    /** What the environment that answers makes of the attestation's pictures, and who says so. */
    readonly attestation: AttestationAnswer;
  };
  /** The same of each that answers. */
  readonly attestations: readonly AttestationAnswer[];
  /** Calls of a list that are worth having open at a time. */
  readonly ahead: number;
  /** Whether it also gives back what its Pillow and torchvision make of a file, by `decode`. */
  readonly decodes: boolean;
  /** One call. @throws IsotorchError */
  request(
    type: "infer" | "decode",
    fields: CallFields,
    frames: readonly Frame[],
    options?: Omit<RequestOptions, "onSent">,
  ): Promise<MessageOf<"result">>;
  health(): Health;
  stats(): WorkerStats;
  /** Lets the calls finish for `drainMs`; idempotent. Nothing is left behind. */
  close(drainMs?: number): Promise<void>;
}
