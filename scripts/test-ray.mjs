// `npm run test:ray`: the Ray Serve application on a cluster of two nodes. Says SKIPPED where Ray cannot be had.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { rayPython } = await import("../dist/ray/venv.js");

let python;
try {
  python = await rayPython({ onStep: (step) => process.stderr.write(`> ${step}\n`) });
} catch (error) {
  process.stdout.write(`SKIPPED: Ray Serve (${error.message})\n`);
  process.exit(0);
}
const { status } = spawnSync(
  process.execPath,
  ["node_modules/vitest/vitest.mjs", "run", "--config", "vitest.ray.config.ts"],
  { stdio: "inherit", env: { ...process.env, ISOTORCH_RAY_PYTHON: python } },
);
process.exit(status ?? 1);
