/** This project's code as plain JavaScript, for programs that run outside of the test process. */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Compiles `src/` into a package of its own, with `models/` beside it.
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
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const args = [compiler, "-p", join(ROOT, "tsconfig.build.json"), "--outDir", join(home, "dist")];
  try {
    execFileSync(process.execPath, args, { stdio: "pipe" });
    copyFileSync(join(ROOT, "dist/image/kernel.wasm"), join(home, "dist/image/kernel.wasm"));
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return folder;
}
