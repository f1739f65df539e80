// Many more random schedules of the supervision's policy than `npm test` runs.
//
//   npm run fuzz:schedules [-- COUNT]
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const [count = "100000"] = process.argv.slice(2);
const args = ["run", "--typecheck.enabled=false", "test/worker/schedules.test.ts"];
const { status } = spawnSync(process.execPath, ["node_modules/vitest/vitest.mjs", ...args], {
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  env: { ...process.env, ISOTORCH_SCHEDULES: count },
  stdio: "inherit",
});
process.exit(status ?? 1);
