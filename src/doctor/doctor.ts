/** What is here, what is wrong, and how to mend it. */
import { gather } from "./findings.ts";
import { type Problem, problemsIn } from "./rules.ts";
import { type Attestation, attest } from "../image/attest/attestation.ts";
import { pictures } from "../image/pool.ts";
import { resolveClassifierOptions } from "../classification/resolved.ts";
import type { ClassifierOptions } from "../classification/options.ts";
import type { Candidate } from "../python/environment.ts";
import { specOf } from "../checkpoints/table.ts";
import { torchBuild } from "../python/conda/prefix.ts";
import { PACKAGE_VERSION } from "../base/version.ts";

export type { Problem } from "./rules.ts";

export interface Diagnosis {
  readonly isotorch: string;
  readonly node: string;
  /** Every Python that was looked at, in order. The first that is fit is the one that is used. */
  readonly candidates: readonly {
    readonly path: string;
    /** `explicit`, `recorded`, `conda` or `system`. */
    readonly kind: Candidate["kind"];
    /** What names it: an option, a variable, a file, a directory. */
    readonly source: string;
    readonly accepted: boolean;
    /** `chosen`, `would do too`, or the reason why not. */
    readonly verdict: string;
    /** What `conda-meta` says of its PyTorch, such as `torch 1.12.1, CUDA 11.3`; `null` elsewhere. */
    readonly build: string | null;
  }[];
  /** The one that is used, with what it said of itself after really importing everything; null where none fits. */
  readonly python: {
    readonly path: string;
    /** Why this one, and which one was used before it. */
    readonly reason: string;
    readonly facts: Readonly<Record<string, string>>;
    /** Environment variables that its activation sets, by name. */
    readonly activation: readonly string[];
  } | null;
  /** Which kinds of pictures and steps Node does as this environment does them, and which it leaves to it. */
  readonly attestation: Attestation | null;
  /** Where a convolution was computed; null where none was. */
  readonly kernel: { readonly device: string; readonly name: string; readonly milliseconds: number } | null;
  readonly gpu: { readonly name: string; readonly capability: string; readonly driver: string } | null;
  readonly checkpoints: readonly { readonly name: string; readonly path: string; readonly here: boolean }[];
  readonly problems: readonly Problem[];
}

/** Looks at everything that `createClassifier(options)` would use, without starting a worker. */
export async function diagnose(options: ClassifierOptions): Promise<Diagnosis> {
  const findings = await gather(resolveClassifierOptions(options));
  const { candidates, environment, examination, gpu, checkpoints } = findings;
  return {
    isotorch: PACKAGE_VERSION,
    node: process.version,
    candidates: candidates.map((candidate) => ({
      path: candidate.python,
      kind: candidate.kind,
      source: candidate.source,
      accepted: candidate.accepted,
      verdict: candidate.accepted
        ? candidate.environment === environment
          ? "chosen"
          : "would do too"
        : candidate.reason,
      build: buildOf(candidate),
    })),
    python: environment
      ? {
          path: environment.python,
          reason: environment.reason,
          facts: examination?.facts ?? {},
          activation: Object.keys(environment.variables).toSorted(),
        }
      : null,
    attestation: (await attestationOf(examination?.digests)) ?? null,
    kernel: examination?.kernel ?? null,
    gpu: gpu ?? null,
    checkpoints: checkpoints.map(({ name, path, here }) => ({ name, path, here })),
    problems: problemsIn(findings),
  };
}

async function attestationOf(
  digests: Readonly<Record<string, string>> | undefined,
): Promise<Attestation | undefined> {
  if (digests === undefined) return undefined;
  const leave = pictures.enter();
  try {
    return attest(digests, await pictures.attest(), specOf("IMAGENET1K_V1"), "worker");
  } finally {
    await leave();
  }
}

function buildOf({ contents }: Candidate): string | null {
  if (contents?.torch === undefined) return null;
  const build = torchBuild(contents);
  return `torch ${contents.torch}${build ? `, ${build}` : ""}`;
}
