/** Rules about the checkpoint and the place where it is kept. */
import type { Findings } from "./findings.ts";
import { ANOTHER_DIRECTORY } from "../python/surroundings.ts";
import { byDownloading, type Rule } from "./rule.ts";

const MIB = 2 ** 20;
/** What a checkpoint needs where its size is not known. */
const USUAL_BYTES = 180 * MIB;

const noHome: Rule = {
  id: "no-home",
  area: "checkpoint",
  level: "error",
  looksAt: "whether the account has a home directory, or another directory for checkpoints is named",
  find: ({ cache }) =>
    cache === undefined
      ? {
          sentence: "This account has no home directory, so that there is no place for checkpoints.",
          mend: `Name a directory: ${ANOTHER_DIRECTORY}`,
        }
      : undefined,
};

const readOnlyCache: Rule = {
  id: "cache-read-only",
  area: "checkpoint",
  level: "error",
  looksAt: "whether the directory of checkpoints can be written",
  find: (findings) =>
    findings.cache === undefined || findings.cache.isWritable
      ? undefined
      : {
          sentence: `${findings.cache.directory} cannot be written, so that nothing can be downloaded into it.`,
          level: isMissing(findings) ? "error" : "warning",
          mend: `Choose another directory: ${ANOTHER_DIRECTORY}`,
        },
};

const diskFull: Rule = {
  id: "disk-full",
  area: "checkpoint",
  level: "error",
  looksAt: "the free space where the checkpoint would be downloaded to",
  find: (findings) => {
    const { free, directory } = findings.cache ?? {};
    const needed = findings.checkpoints.find(({ name }) => name === findings.weights)?.bytes ?? USUAL_BYTES;
    if (free === undefined || free >= needed || !isMissing(findings)) return undefined;
    return {
      sentence: `The disk of ${directory} has ${Math.floor(free / MIB)} MiB left; ${findings.weights} needs ${Math.ceil(needed / MIB)} MiB.`,
      mend: "Make room: npx isotorch cache clear; or choose another directory with --cache-dir DIR",
    };
  },
};

const missing: Rule = {
  id: "checkpoint-missing",
  area: "checkpoint",
  level: "warning",
  looksAt: "whether the checkpoint is in the cache",
  find: (findings) =>
    isMissing(findings)
      ? {
          sentence: `${findings.weights} is not in the cache yet; the first start downloads it.`,
          ...byDownloading(findings.weights),
        }
      : undefined,
};

function isMissing({ checkpoints, weights }: Findings): boolean {
  return checkpoints.some(({ name, here }) => name === weights && !here);
}

export const CHECKPOINT_RULES: readonly Rule[] = [noHome, readOnlyCache, diskFull, missing];
