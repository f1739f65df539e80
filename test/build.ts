/** Threads and child processes of the tests run what is in dist: it is compiled first, so that none runs what src was before. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export default function setup(): void {
  const root = fileURLToPath(new URL("..", import.meta.url));
  execFileSync(process.execPath, ["scripts/build.mjs"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
}
