/**
 * Threads and child processes of the tests run what is in dist: it is compiled first, so that none runs what src was
 * before. `npm test` has just done so (`pretest`), and Python's tests read it meanwhile.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export default function setup(): void {
  if (process.env["npm_lifecycle_event"] === "test") return;
  const root = fileURLToPath(new URL("..", import.meta.url));
  execFileSync(process.execPath, ["scripts/build.mjs"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
}
