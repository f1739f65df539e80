import { defineConfig } from "vitest/config";
import type { ViteUserConfig } from "vitest/config";

/** Tests that start the real network, or whose subject is time and processes: one file at a time. */
const ALONE = [
  "test/{classifier,reload,exit}.test.ts",
  "test/chaos/**/*.test.ts",
  "test/cli/{commands,signals,job,watch,completion}.test.ts",
  "test/image/{pool,decode}.test.ts",
  "test/parity/{broken,command,eval,tutorial}.test.ts",
  "test/remote/**/*.test.ts",
  "test/security/{socket,secrets,pictures}.test.ts",
  "test/server/{real,requests,decoder}.test.ts",
  "test/setup/flow.test.ts",
  "test/worker/{session,supervisor,pool,download,process.guard,channel.guard}.test.ts",
];

const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: "test/build.ts",
    testTimeout: 60_000,
    hookTimeout: 120_000,
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
          // Two real workers side by side fight for the same cores.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

export default config;
