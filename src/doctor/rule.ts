/** What a rule of `doctor` is, and what several rules share. */
import { quoted } from "../python/command.ts";
import type { Findings } from "./findings.ts";

/** What part of the start a problem stops. */
export type Area = "environment" | "device" | "checkpoint";

/** Something that `doctor --fix` can do by itself: it makes something new, or changes what isotorch made. */
export type Fix =
  | { readonly does: "setup"; readonly args: readonly string[] }
  | { readonly does: "run"; readonly file: string; readonly args: readonly string[] }
  | { readonly does: "download"; readonly weights: string };

/** What a rule found. */
export interface Found {
  readonly sentence: string;
  /** The command that mends it, or a sentence where no command can. */
  readonly mend: string;
  /** @default what the rule says */
  readonly level?: "error" | "warning";
  readonly fix?: Fix;
  /** The names of the errors that this explains; they are told by no other rule. */
  readonly explains?: readonly string[];
}

/** One usual breakage. */
export interface Rule {
  readonly id: string;
  readonly area: Area;
  /** `error` stops the worker as it was asked for, `warning` does not. */
  readonly level: "error" | "warning";
  /** What it looks at, one clause, for the documentation. */
  readonly looksAt: string;
  /** `errors` are those that no rule before it has explained. */
  find(findings: Findings, errors: Readonly<Record<string, string>>): Found | undefined;
}

/** The names of the errors whose text matches; with torch's, also those of what imports torch. */
export function errorsLike(errors: Readonly<Record<string, string>>, pattern: RegExp): string[] {
  const names = Object.keys(errors).filter((name) => pattern.test(errors[name] ?? ""));
  return names.includes("torch") && "torchvision" in errors ? [...new Set([...names, "torchvision"])] : names;
}

/** The command that makes a new environment, and its fix. */
export function bySetup(...args: readonly string[]): Pick<Found, "mend" | "fix"> {
  return { mend: ["npx isotorch setup", ...args].join(" "), fix: { does: "setup", args } };
}

/**
 * The command that installs something into the environment that is used, with conda's word for it or pip's. Only in
 * an environment that isotorch made is it a fix.
 */
export function byInstalling(
  conda: string,
  pip: string,
  { environment, candidates, manager, record, platform }: Findings,
): Pick<Found, "mend" | "fix"> {
  if (!environment) return bySetup();
  const { python, prefix } = environment;
  // The distribution's own Python is its package manager's affair.
  if (prefix === "/usr") return bySetup("--via", "venv");
  const isConda = candidates.some(
    (candidate) => candidate.accepted && candidate.environment === environment && candidate.contents,
  );
  const [file, args] = isConda
    ? [
        manager?.file ?? "conda",
        ["install", "-y", "-p", prefix, "--override-channels", "-c", "conda-forge", conda],
      ]
    : [python, ["-m", "pip", "install", pip]];
  const isOurs = record?.python === python && (record.via === "venv" || record.via === "conda");
  return {
    mend: [file, ...args].map((word) => quoted(word, platform)).join(" "),
    ...(isOurs && (!isConda || manager) && { fix: { does: "run" as const, file, args } }),
  };
}

/** The command that downloads weights, and its fix. */
export function byDownloading(weights: string): Pick<Found, "mend" | "fix"> {
  return { mend: `npx isotorch models pull ${weights}`, fix: { does: "download", weights } };
}
