/** Patterns of files, as a shell has them. */
import { stat } from "node:fs/promises";
import { basename, extname, relative, sep } from "node:path";
import picomatch from "picomatch";
import { pathOf } from "../../base/text/names.ts";
import { filesUnder, PassedOver, passedKind } from "../../parity/eval/walk.ts";

export function isPattern(argument: string): boolean {
  return picomatch.scan(slashes(argument)).isGlob;
}

/** Files by pattern, as a POSIX shell expands it; those of Windows leave that to the program. */
export async function* filesMatching(
  pattern: string,
  passed: PassedOver = new PassedOver(),
): AsyncGenerator<string, void, undefined> {
  const { base, glob } = picomatch.scan(slashes(pattern));
  const from = base === "" ? "." : base;
  if ((await stat(pathOf(from)).catch(() => undefined))?.isDirectory() !== true) return;
  const nocase = process.platform === "win32";
  const matches = picomatch(glob, { nocase });
  // What begins with a dot is hidden to a pattern; that macOS left it there is still told.
  const matchesHidden = picomatch(glob, { nocase, dot: true });
  const inside = (path: string): string => slashes(relative(from, path));
  const deepest = /\*\*|[({]/.test(glob) ? Infinity : glob.split("/").length;
  const enters = (folder: string): boolean => inside(folder).split("/").length < deepest;
  for await (const file of filesUnder(from, enters)) {
    if (matches(inside(file)) && isMeant(file, glob)) yield file;
    else if (matchesHidden(inside(file))) passed.add(file);
  }
}

/** A kind that is passed over is still taken where the pattern names it: `*.heic`, `*.{jpg,avif}`, `._*`. */
function isMeant(file: string, glob: string): boolean {
  if (passedKind(file) === undefined) return true;
  if (basename(file).startsWith("._")) return glob.includes("._");
  const words = glob.toLowerCase().split(/[^\w]+/);
  return words.includes(extname(file).slice(1).toLowerCase());
}

function slashes(path: string): string {
  return sep === "/" ? path : path.replaceAll(sep, "/");
}
