/** How surely a checkpoint file is the one that is meant, and the hashes that are noted beside files. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { writeWhole } from "../base/files/files.ts";
import type { KnownCheckpoint } from "./table.ts";

/**
 * - `pinned`: its full SHA-256 is known from the table, or was given, and is checked at each load.
 * - `prefix`: the 8 or 10 digits of the SHA-256 in its name were checked. That catches accidents, not an attacker, who
 *   can find another file with the same digits.
 * - `first use`: its full SHA-256 was noted when it was first loaded or made, and is checked at each load since.
 * - `unpinned`: a file of one's own, of which no hash was given.
 */
export type Integrity = "pinned" | "prefix" | "first use" | "unpinned";

/** What is named after a checkpoint and holds its hash, as `sha256sum` prints it. */
export const NOTE = ".sha256";

/** The full SHA-256 that is noted beside a checkpoint; `null` where there is none. */
export async function notedHash(path: string): Promise<string | null> {
  const noted = await readFile(`${path}${NOTE}`, "utf8").catch(() => "");
  return /^[0-9a-f]{64}(?=\s|$)/.exec(noted)?.[0] ?? null;
}

/** Notes the full SHA-256 of a checkpoint. Where the directory cannot be written, none is noted. */
export async function noteHash(path: string, sha256: string): Promise<void> {
  await writeWhole(`${path}${NOTE}`, `${sha256}  ${basename(path)}\n`).catch(() => {});
}

/** What is known of a checkpoint by name, with the hash that is noted beside its file. */
export function integrityOf({ sha256 }: Pick<KnownCheckpoint, "sha256">, noted: string | null): Integrity {
  if (sha256 !== null) return "pinned";
  return noted === null ? "prefix" : "first use";
}
