/** The environment that answered last without being asked for, so that another one never takes its place in silence. */
import { rm } from "node:fs/promises";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { type EnvironmentKind, isSameEnvironment } from "./candidates.ts";
import { readJson, writeJson } from "../base/files/files.ts";
import { configDirectory, type Surroundings } from "./surroundings.ts";

/** What is noted of an environment. */
export interface UsedEnvironment {
  /** Absolute path of the interpreter. */
  readonly python: string;
  readonly kind: EnvironmentKind;
  /** What named it then: a variable, a file, a directory. */
  readonly source: string;
  /** The interpreter that was used before this one; `null` where none was. */
  readonly before: string | null;
}

/** The file that holds the note. */
export function usedFile(at: Surroundings): string {
  return at.path.join(configDirectory(at), "used.json");
}

/** The environment that was used before; `undefined` where none was noted or the note cannot be understood. */
export async function readUsed(at: Surroundings): Promise<UsedEnvironment | undefined> {
  const note = await readJson(usedFile(at));
  const { python, kind, source, before } = note;
  if (typeof python !== "string" || !at.path.isAbsolute(python)) return undefined;
  return {
    python,
    kind: kind === "conda" ? "conda" : "system",
    source: typeof source === "string" ? source : "",
    before: typeof before === "string" ? before : null,
  };
}

/**
 * Notes an environment that the free search has found and that works. Where it is noted already nothing is written;
 * a place that cannot be written costs the note, of which the logger hears, and nothing else. One that was asked for, or that `setup` recorded,
 * is not noted.
 */
export async function noteUsed(
  { python, kind, source }: Omit<UsedEnvironment, "before">,
  at: Surroundings,
  logger?: Logger,
): Promise<void> {
  if (kind === "explicit" || kind === "recorded") return;
  const old = await readUsed(at);
  if (old && (await isSameEnvironment(old.python, python, at))) return;
  await writeJson(usedFile(at), { python, kind, source, before: old?.python ?? null }).catch(
    (error: unknown) => {
      logger?.info(`that ${python} was used could not be noted in ${usedFile(at)}: ${messageOf(error)}`);
    },
  );
}

/** What was used before no longer counts: another one was chosen. */
export async function forgetUsed(at: Surroundings): Promise<void> {
  await rm(usedFile(at), { force: true }).catch(() => {});
}
