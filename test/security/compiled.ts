/** This project's compiled code as a package, for programs that run outside of the test process. */
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Puts `dist/`, which is compiled before the tests, into a package of its own, with `models/` beside it.
 *
 * @param folders where below the new folder the package is.
 * @returns the new folder; whoever asked for it removes it.
 */
export function compiled(...folders: readonly string[]): string {
  mkdirSync(join(ROOT, "node_modules/.cache"), { recursive: true });
  // Below this project, so that the package finds its dependencies.
  const folder = mkdtempSync(join(ROOT, "node_modules/.cache/compiled-"));
  chmodSync(folder, 0o755);
  const home = join(folder, ...folders);
  mkdirSync(home, { recursive: true });
  for (const shared of ["models", "python"]) symlinkSync(join(ROOT, shared), join(home, shared));
  copyFileSync(join(ROOT, "package.json"), join(home, "package.json"));
  cpSync(join(ROOT, "dist"), join(home, "dist"), { recursive: true });
  return folder;
}
