import { defineConfig } from "vitest/config";
import type { ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: { include: ["test/server/browser/*.browser.ts"], testTimeout: 60_000, fileParallelism: false },
});

export default config;
