import { defineConfig } from "vitest/config";
import type { ViteUserConfig } from "vitest/config";

/** Tests whose subject is time, memory or processes: one file at a time. */
const ALONE = [
  "test/exit.test.ts",
  "test/chaos/**/*.test.ts",
  "test/cli/{signals,lists/watch}.test.ts",
  "test/image/pool.test.ts",
  "test/remote/failures.test.ts",
  "test/security/pictures.test.ts",
  "test/server/requests.test.ts",
  "test/checkpoints/download.test.ts",
  "test/worker/{session,supervisor,pool,process.guard,channel.guard}.test.ts",
];

const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: "test/build.ts",
    // Guards against what never ends; how long a test takes on a busy machine says nothing.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    projects: [
      {
        extends: true,
        test: {
          name: "beside",
          include: ["test/**/*.test.ts"],
          exclude: ALONE,
          maxWorkers: 2,
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
          maxConcurrency: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

export default config;
