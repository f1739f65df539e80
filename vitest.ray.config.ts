/** `npm run test:ray`: what needs Ray, which comes from PyPI. */
import { defineConfig } from "vitest/config";
import type { ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/ray/*.ray.ts"],
    globalSetup: "test/build.ts",
    testTimeout: 120_000,
    hookTimeout: 300_000,
    fileParallelism: false,
  },
});

export default config;
