/** What `info()` of a generator says. */
import type { Integrity } from "../checkpoints/integrity.ts";
import type { TextCheckpoint } from "../checkpoints/text/resolve.ts";
import type { HeadRows } from "../protocol/messages.ts";
import type { Environment } from "../python/environment.ts";
import { asTextNetwork } from "../tasks/network.ts";
import { type MachineInfo, describeMachine, firstOf } from "../worker/machine/info.ts";
import type { WorkerReady } from "../worker/ready.ts";

/** A network of texts in workers of this machine; every value was measured or answered, none assumed. */
export interface GeneratorInfo extends MachineInfo {
  readonly weights: {
    /** As it was asked for: `pretrained`, `untrained:0`, a path. */
    readonly name: string;
    readonly path: string;
    readonly sha256: string;
    /** How surely the file is the one that is meant. */
    readonly integrity: Integrity;
    /** False for `untrained:SEED`: its texts mean nothing. Null for files of one's own, of which nobody knows. */
    readonly trained: boolean | null;
    /** What was decided of the files where they leave something open, each a sentence. */
    readonly remarks: readonly string[];
  };
  /** Which computation the bits are those of. */
  readonly reference: string;
  /** For which tokens of the prompt the head is computed: versions of transformers differ in that, and the bits with it. */
  readonly headRows: HeadRows;
  /** Tokens of the vocabulary. */
  readonly vocabulary: number;
  /** Tokens that it looks at, those of the prompt and the new ones together. */
  readonly context: number;
  readonly layers: number;
  readonly heads: number;
  /** Values of each token's vector. */
  readonly width: number;
  /** Milliseconds that each token has where a call says no `timeoutMs` itself: the larger the network, the longer. */
  readonly timeoutMs: number;
}

/** @param members each worker, once it was ready. */
export function describeGenerator(
  members: readonly WorkerReady[],
  environment: Environment,
  checkpoint: TextCheckpoint,
  asked: { readonly threads: number; readonly timeoutMs: number },
): GeneratorInfo {
  const { sha256, remarks, network } = firstOf(members);
  return {
    ...describeMachine(members, environment, asked.threads),
    weights: {
      name: checkpoint.weights,
      path: checkpoint.path,
      sha256,
      integrity: checkpoint.integrity,
      trained: checkpoint.trained,
      remarks: [...remarks, ...tokenizerRemarks(checkpoint)],
    },
    ...asTextNetwork(network),
    timeoutMs: asked.timeoutMs,
  };
}

/** Files of one's own without a tokenizer have GPT-2's, which fits where the numbers of tokens are equal, and may be another. */
function tokenizerRemarks({ trained, tokenizer }: TextCheckpoint): string[] {
  if (trained !== null || tokenizer !== null) return [];
  return ["No tokenizer lies beside the checkpoint; GPT-2's own is used."];
}
