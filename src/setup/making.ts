/** The note that an environment is being made, by which a later setup knows what was left half made. */
import { shown } from "../base/text/shown.ts";
import { stat } from "node:fs/promises";
import { IsotorchError, messageOf } from "../base/errors.ts";
import { makeDirectory, readJson, removeFile, writeJson } from "../base/files/files.ts";
import { type FileLock, tryLock } from "../base/files/lock.ts";
import { readPrefix, refusalOf } from "../python/conda/prefix.ts";
import { configDirectory, type Surroundings } from "../python/surroundings.ts";

/** What is being made. */
export interface Making {
  readonly prefix: string;
  readonly verb: "create" | "update";
  /** The archives that conda was to download and to unpack, as far as that is known. */
  readonly archives?: readonly string[];
}

/** The note of a setup that is at work, or that did not come to its end. */
export async function readMaking(at: Surroundings): Promise<Making | undefined> {
  const note = await readJson(noteFile(at));
  const { prefix, verb, archives } = note;
  if (typeof prefix !== "string" || !at.path.isAbsolute(prefix)) return undefined;
  const names = Array.isArray(archives) ? archives.map(String).filter((name) => /^[^\\/]+$/.test(name)) : [];
  return { prefix, verb: verb === "create" ? "create" : "update", archives: names };
}

/** What a setup left unfinished; `undefined` where there is none, where nothing was made yet, or where all is there. */
export async function readHalfMade(at: Surroundings): Promise<string | undefined> {
  const making = await readMaking(at);
  if (!making || !(await stat(making.prefix).catch(() => undefined))) return undefined;
  return (await isWhole(making.prefix, at)) ? undefined : making.prefix;
}

/** Whether everything is there after all: the setup ended between the last package and its own last line. */
export async function isWhole(prefix: string, at: Surroundings): Promise<boolean> {
  const contents = await readPrefix(prefix, at);
  return contents !== undefined && contents.missing?.length === 0 && refusalOf(contents) === undefined;
}

/** Notes what is about to be made. Rejects with `SETUP_FAILED` where the note cannot be written. */
export async function noteMaking(making: Making, at: Surroundings): Promise<void> {
  await writeJson(noteFile(at), making).catch((cause: unknown) => {
    throw unwritable(cause, at);
  });
}

/** It has come to its end. */
export async function forgetMaking(at: Surroundings): Promise<void> {
  await removeFile(noteFile(at));
}

/** Lets one setup at a time make an environment. Rejects with `SETUP_FAILED` while another one is at work. */
export async function onlySetup(at: Surroundings): Promise<FileLock> {
  const file = at.path.join(configDirectory(at), "setup.lock");
  const lock = await makeDirectory(configDirectory(at))
    .then(() => tryLock(file))
    .catch((cause: unknown) => {
      throw unwritable(cause, at);
    });
  if (lock) return lock;
  throw new IsotorchError("SETUP_FAILED", "Another isotorch setup is at work.", {
    hint: `Wait for it. Where there is none, remove its lock: ${file}`,
  });
}

function noteFile(at: Surroundings): string {
  return at.path.join(configDirectory(at), "making.json");
}

function unwritable(cause: unknown, at: Surroundings): IsotorchError {
  return new IsotorchError(
    "SETUP_FAILED",
    `${shown(configDirectory(at))} cannot be written: ${messageOf(cause)}`,
    {
      hint: "Set ISOTORCH_CONFIG_DIR to a directory that can be written",
      cause,
    },
  );
}
