/** What is here, what is wrong, and how to mend it. */
import { PACKAGE_VERSION } from "./version.ts";
import { resolveClassifierOptions } from "./options.ts";
import type { ClassifierOptions } from "./options.ts";
import { listCheckpoints } from "./worker/catalogue.ts";
import { listCandidates } from "./worker/environment.ts";
import { examinePython } from "./worker/examine.ts";

export interface Diagnosis {
  readonly isotorch: string;
  readonly node: string;
  /** Every Python that was looked at, in order. The first that is fit is the one that is used. */
  readonly candidates: readonly {
    readonly path: string;
    readonly source: string;
    readonly verdict: string;
  }[];
  /** The one that is used, with what it said of itself after really importing everything; null where none fits. */
  readonly python: { readonly path: string; readonly facts: Readonly<Record<string, string>> } | null;
  readonly checkpoints: readonly { readonly name: string; readonly path: string; readonly here: boolean }[];
  readonly problems: readonly Problem[];
}

/** One thing that is wrong, and the command or the step that mends it. */
export interface Problem {
  readonly area: "environment" | "device" | "checkpoint";
  readonly sentence: string;
  readonly mend: string;
}

/** Looks at everything that `createClassifier(options)` would use, without starting a worker. */
export async function diagnose(options: ClassifierOptions): Promise<Diagnosis> {
  const resolved = resolveClassifierOptions(options);
  const candidates = await listCandidates({ ...resolved, anew: true });
  const chosen = candidates.find((candidate) => candidate.accepted);
  const problems: Problem[] = [];
  let python: Diagnosis["python"] = null;
  if (chosen?.accepted === true) {
    const { facts, failures } = await examinePython(chosen.environment);
    python = { path: chosen.environment.python, facts };
    for (const failure of failures) {
      problems.push({
        area: "environment",
        sentence: failure,
        mend: "Run `npx isotorch setup` to make an environment.",
      });
    }
    problems.push(...deviceProblems(resolved.device, facts));
  } else {
    problems.push({
      area: "environment",
      sentence: "No Python here can run the worker.",
      mend: "Run `npx isotorch setup`, or name an interpreter with --python PATH or ISOTORCH_PYTHON.",
    });
  }
  const checkpoints = await listCheckpoints(resolved);
  problems.push(...checkpointProblems(resolved.weights, checkpoints));
  return {
    isotorch: PACKAGE_VERSION,
    node: process.version,
    candidates: candidates.map((candidate) => ({
      path: candidate.python,
      source: candidate.source,
      verdict: candidate.accepted ? (candidate === chosen ? "chosen" : "would do too") : candidate.reason,
    })),
    python,
    checkpoints,
    problems,
  };
}

function deviceProblems(device: string, facts: Readonly<Record<string, string>>): Problem[] {
  if (!device.startsWith("cuda") || facts["cudaAvailable"] === "true") return [];
  const builtWith = facts["cuda"] ?? "none";
  const sentence = `The device ${device} is not there: this build of PyTorch has CUDA ${builtWith}, and finds no device.`;
  const mend =
    builtWith === "none"
      ? "This is a CPU build. Run `npx isotorch setup --via conda`, which installs the CUDA 11.3 build of env.yml."
      : "Check the driver with `nvidia-smi`, or use `--device cpu`.";
  return [{ area: "device", sentence, mend }];
}

function checkpointProblems(weights: string, checkpoints: Diagnosis["checkpoints"]): Problem[] {
  const missing = checkpoints.find(({ name, here }) => name === weights && !here);
  if (missing === undefined) return [];
  const sentence = `${weights} is not in the cache yet; the first start downloads it.`;
  const mend = `Run \`npx isotorch models pull ${weights}\`, or put the file at ${missing.path} by hand.`;
  return [{ area: "checkpoint", sentence, mend }];
}
