// `npm run test:browser`: the page in a real headless Chromium. On Debian as root it is installed where it is missing;
// where it cannot be had, this step is skipped and says so. `SCREENSHOTS=DIR` keeps pictures of the page.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const PLACES = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];
const find = () => PLACES.find((place) => place !== undefined && existsSync(place));

if (find() === undefined && existsSync("/usr/bin/apt-get") && process.getuid?.() === 0) {
  const args = ["-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", "chromium"];
  process.stderr.write(`> Installing Chromium: apt-get ${args.join(" ")}\n`);
  spawnSync("apt-get", args, { stdio: "ignore" });
}
const chromium = find();
if (chromium === undefined) {
  process.stderr.write(
    "SKIPPED: test:browser (there is no Chromium, and it cannot be installed; CHROMIUM=PATH names one)\n",
  );
  process.exit(0);
}
const run = ["node_modules/vitest/vitest.mjs", "run", "--config", "test/server/browser/vitest.config.ts"];
const { status } = spawnSync(process.execPath, run, {
  stdio: "inherit",
  env: { ...process.env, CHROMIUM: chromium },
});
process.exit(status ?? 1);
