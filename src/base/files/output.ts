/** What people asked to have written: a file is there whole or as it was before, and what goes wrong is one kind of error. */
import { realpath, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { IsotorchError, messageOf } from "../errors.ts";
import { hasCode, writeWhole } from "./files.ts";

/** Another place helps against these; they are the option's. Against all others it takes a look at the disk. */
const OF_THE_PLACE = [
  "ENOENT",
  "ENOTDIR",
  "EISDIR",
  "EEXIST",
  "EACCES",
  "EPERM",
  "ENAMETOOLONG",
  "ELOOP",
  "EINVAL",
];

/**
 * Writes a file, which keeps what it has until all of the new is there. A device, a pipe and what else is no file is
 * written as it is.
 *
 * @param what names it in the message, as `The report`.
 * @throws IsotorchError `INVALID_OPTION` for a place where none can be, `OUTPUT_FAILED` where the disk takes no more.
 */
export async function writeOutput(file: string, content: string | Uint8Array, what: string): Promise<void> {
  try {
    const facts = await stat(file).catch(() => undefined);
    if (facts !== undefined && !facts.isFile()) return await writeFile(file, content);
    // What a link points to is written, and the link stays.
    const target = facts === undefined ? file : await realpath(file);
    await writeWhole(target, content, { mode: facts?.mode }).catch((error: unknown) => {
      // A file may be writable in a folder that is not.
      if (facts !== undefined && hasCode(error, "EACCES", "EPERM", "EROFS"))
        return writeFile(target, content);
      throw error;
    });
  } catch (cause) {
    throw unwritable(what, cause, file);
  }
}

/**
 * Why something cannot be written.
 *
 * @param what names it, as `The report`.
 * @param file its path, whose disk the hint names.
 * @param keeps what is not lost by it, as a sentence.
 */
export function unwritable(what: string, cause: unknown, file?: string, keeps?: string): IsotorchError {
  if (cause instanceof IsotorchError) return cause;
  // What is no error of the system's is one of what was to be written.
  const isOfTheSystem = cause instanceof Error && "code" in cause;
  const isOfTheDisk = isOfTheSystem && !hasCode(cause, ...OF_THE_PLACE);
  const hint = [remedyOf(cause, file), keeps].filter(Boolean).join(" ");
  return new IsotorchError(
    isOfTheDisk ? "OUTPUT_FAILED" : "INVALID_OPTION",
    `${what} cannot be written: ${messageOf(cause)}.`,
    { hint, cause },
  );
}

/** The same for a system error that nobody has explained on its way; `undefined` for any other. */
export function diskFailure(thrown: unknown): IsotorchError | undefined {
  const isOfTheDisk = hasCode(thrown, "ENOSPC", "EDQUOT", "EIO", "EROFS", "EFBIG");
  if (!isOfTheDisk || !(thrown instanceof Error)) return undefined;
  const file = "path" in thrown && typeof thrown.path === "string" ? thrown.path : undefined;
  return unwritable("What this command writes", thrown, file);
}

function remedyOf(cause: unknown, file: string | undefined): string {
  const disk = file === undefined ? "the disk" : `the disk of ${dirname(file)}`;
  if (hasCode(cause, "ENOSPC", "EDQUOT")) return `Make room on ${disk}, or write to another one.`;
  if (hasCode(cause, "EROFS")) return `Write to another disk: ${disk} can only be read.`;
  if (hasCode(cause, "EIO")) return `Write to another disk, and have ${disk} looked at: it reports a fault.`;
  return "Name a file in a folder that is there and may be written.";
}
