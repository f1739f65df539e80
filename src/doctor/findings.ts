/** Everything that the rules of `doctor` look at, gathered once. */
import { access, constants, stat, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { ResolvedClassifierOptions } from "../classification/options.ts";
import { readHalfMade } from "../setup/making.ts";
import { firstGpu, type Gpu } from "../setup/conda/variant.ts";
import { type CatalogueEntry, listCheckpoints } from "../checkpoints/list.ts";
import { type Candidate, type Environment, listCandidates, lostAmong } from "../python/environment.ts";
import { type Examination, examinePython } from "../python/examine.ts";
import { findManager, type Manager } from "../python/conda/managers.ts";
import type { Lost } from "../python/lost.ts";
import { openmpRuntimes, type Runtime } from "./openmp.ts";
import { isRecordDamaged, readRecord, recordFile, type RecordedEnvironment } from "../python/recorded.ts";
import { readRegistry } from "../python/conda/registry.ts";
import { checkpointDirectory, surroundings } from "../python/surroundings.ts";

/** What was found. Tests put in another machine's. */
export interface Findings {
  readonly platform: NodeJS.Platform;
  /** The processor that Node was built for, as Node names it. */
  readonly arch: string;
  /** The device that was asked for. */
  readonly device: string;
  readonly weights: string;
  /** Every Python, in the order in which it is tried. */
  readonly candidates: readonly Candidate[];
  /** The one that is used; `undefined` where none fits, or where none may take the place of what was lost. */
  readonly environment: Environment | undefined;
  readonly examination: Examination | undefined;
  readonly record: RecordedEnvironment | undefined;
  /** The file of the record, where it is damaged. */
  readonly damagedRecord: string | undefined;
  /** What of Windows' registry could not be read: sentences. */
  readonly registry: readonly string[];
  /** What was recorded or used before and is no longer fit, so that no other one is taken. */
  readonly lost: Lost | undefined;
  /** The prefix that an interrupted setup left half made. */
  readonly halfMade: string | undefined;
  /** The manager that would install something, where there is one. */
  readonly manager: Manager | undefined;
  /** The first GPU that `nvidia-smi` lists. */
  readonly gpu: Gpu | undefined;
  /** The OpenMP runtimes of the environment. */
  readonly openmp: readonly Runtime[];
  readonly checkpoints: readonly CatalogueEntry[];
  /** `undefined` where the account has no home directory for it and none was named. */
  readonly cache: Cache | undefined;
}

/** The directory of checkpoints, or the nearest one above that exists. */
export interface Cache {
  readonly directory: string;
  readonly isWritable: boolean;
  /** Bytes; `undefined` where the system does not tell. */
  readonly free: number | undefined;
}

/** Looks at this machine: starts every Python anew and imports everything in the one that is used. */
export async function gather(options: ResolvedClassifierOptions): Promise<Findings> {
  const at = surroundings();
  // Of several workers, the first one's device.
  const [device = "auto"] = [options.device].flat();
  const candidates = await listCandidates({ ...options, anew: true });
  const lost = await lostAmong(candidates, options);
  const isFree = candidates.every(({ kind }) => kind !== "explicit");
  const damagedRecord = isFree && (await isRecordDamaged(at)) ? recordFile(at) : undefined;
  const first = candidates.find((candidate) => candidate.accepted)?.environment;
  const environment = lost || damagedRecord !== undefined ? undefined : first;
  const folder = options.cacheDir ?? checkpointDirectory(at);
  return {
    platform: process.platform,
    arch: process.arch,
    device,
    weights: options.weights,
    candidates,
    environment,
    examination: environment && (await examinePython(environment, device)),
    record: await readRecord(at),
    damagedRecord,
    registry: (await readRegistry(at)).complaints,
    lost,
    halfMade: await readHalfMade(at),
    manager: await findManager(at),
    gpu: await firstGpu(at),
    openmp: environment ? await openmpRuntimes(environment.prefix) : [],
    checkpoints: folder === undefined ? [] : await listCheckpoints(options),
    cache: folder === undefined ? undefined : await cacheAt(resolve(folder)),
  };
}

async function cacheAt(directory: string): Promise<Cache> {
  let existing = directory;
  while (dirname(existing) !== existing && !(await stat(existing).catch(() => undefined))) {
    existing = dirname(existing);
  }
  const isWritable = await access(existing, constants.W_OK).then(
    () => true,
    () => false,
  );
  const system = await statfs(existing).catch(() => undefined);
  return { directory, isWritable, free: system && system.bavail * system.bsize };
}
