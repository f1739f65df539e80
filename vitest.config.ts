import { defineConfig } from "vitest/config";
import type { ViteUserConfig } from "vitest/config";

/** Tests that fill a machine themselves, or count what is in it: one file at a time. */
const ALONE = [
  "test/chaos/**/*.test.ts",
  "test/worker/{session,supervisor,pool,process.guard,channel.guard}.test.ts",
];

const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: "test/build.ts",
    // What each file costs: `npm run test:cost`.
    setupFiles: process.env["ISOTORCH_TEST_COST"] === undefined ? [] : ["test/cost.ts"],
    // Plain PyTorch waits as the worker does: threads that spin at barriers take the cores from the tests beside it.
    env: { OMP_WAIT_POLICY: "PASSIVE", GOMP_SPINCOUNT: "3000" },
    // Guards against what never ends; how long a test takes on a busy machine says nothing.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    maxConcurrency: 2,
    expect: { poll: { timeout: 120_000, interval: 20 } },
    projects: [
      {
        extends: true,
        test: {
          name: "beside",
          include: ["test/**/*.test.ts"],
          exclude: ALONE,
          // One more than the cores of a small machine: many tests wait.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
          typecheck: { enabled: true, include: ["test/**/*.test-d.ts"], tsconfig: "./tsconfig.json" },
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

export default config;
