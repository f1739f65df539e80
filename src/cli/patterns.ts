/** Patterns of files, as a shell has them. */
import { stat } from "node:fs/promises";
import { relative, sep } from "node:path";
import picomatch from "picomatch";
import { filesUnder } from "../parity/walk.ts";

export function isPattern(argument: string): boolean {
  return picomatch.scan(slashes(argument)).isGlob;
}

/** Files by pattern, as a POSIX shell expands it; those of Windows leave that to the program. */
export async function* filesMatching(pattern: string): AsyncGenerator<string, void, undefined> {
  const { base, glob } = picomatch.scan(slashes(pattern));
  const from = base === "" ? "." : base;
  if ((await stat(from).catch(() => undefined))?.isDirectory() !== true) return;
  const matches = picomatch(glob, { nocase: process.platform === "win32" });
  const inside = (path: string): string => slashes(relative(from, path));
  const deepest = /\*\*|[({]/.test(glob) ? Infinity : glob.split("/").length;
  const enters = (folder: string): boolean => inside(folder).split("/").length < deepest;
  for await (const file of filesUnder(from, enters)) if (matches(inside(file))) yield file;
}

function slashes(path: string): string {
  return sep === "/" ? path : path.replaceAll(sep, "/");
}
