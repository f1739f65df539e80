/** From a generator's options to workers that are ready: which files they load, and how patient one is with them. */
import type { Backend, Phase } from "../backend.ts";
import { type TextCheckpoint, resolveTextCheckpoint } from "../checkpoints/text/resolve.ts";
import { startWorkers } from "../worker/start.ts";
import { DEFAULT_POLICY } from "../worker/supervision/policy.ts";
import { type GeneratorInfo, describeGenerator } from "./info.ts";
import type { ResolvedGeneratorOptions } from "./options.ts";

/** What a token has of GPT-2 with 124 million parameters, milliseconds: a prompt of 1,024 tokens on a slow BLAS takes half of it. */
const TOKEN_MS = 120_000;
const PARAMETERS = 124_439_808;

/** Supervised workers and what is known of them. */
export interface StartedGenerator {
  readonly pool: Backend;
  readonly checkpoint: TextCheckpoint;
  /** What runs now; another process after a restart. */
  readonly info: () => GeneratorInfo;
}

/** @throws IsotorchError what is missing or wrong, with how to mend it. */
export async function startGenerator(
  options: ResolvedGeneratorOptions,
  onPhase: (phase: Phase) => void,
): Promise<StartedGenerator> {
  const { pool, environment, planned } = await startWorkers(
    options,
    async () => {
      const checkpoint = await resolveTextCheckpoint(options.weights, options);
      const { model, path, config, sha256, seed } = checkpoint;
      const timeoutMs = tokenMs(checkpoint.parameters);
      return {
        checkpoint,
        timeoutMs,
        load: {
          task: "text-generation" as const,
          model,
          checkpoint: path,
          checkpointKey: null,
          sha256,
          seed,
          network: { config },
          precision: "exact" as const,
        },
        policy: { ...DEFAULT_POLICY, readyMs: timeoutMs, overdueMs: timeoutMs },
      };
    },
    onPhase,
  );
  const { checkpoint, timeoutMs } = planned;
  const asked = { threads: options.threads, timeoutMs };
  return { pool, checkpoint, info: () => describeGenerator(pool.members, environment, checkpoint, asked) };
}

/** The time that each token has by default, whole seconds in milliseconds. */
function tokenMs(parameters: number): number {
  return Math.ceil((TOKEN_MS / 1_000) * Math.max(1, parameters / PARAMETERS)) * 1_000;
}
