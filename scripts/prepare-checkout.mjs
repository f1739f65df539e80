// Before `npm test` and `npm run demo`: installs what a fresh checkout lacks, builds, and finds or makes Python.
// Plain JavaScript without dependencies, because it is what runs when nothing is installed yet.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

const LOCK = "package-lock.json";
const INSTALLED = "node_modules/.package-lock.json";
const npm = process.platform === "win32" ? "npm.cmd" : "npm";

if (!existsSync(INSTALLED) || statSync(INSTALLED).mtimeMs < statSync(LOCK).mtimeMs) {
  run("Installing the npm packages", npm, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], (output) =>
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|network/i.test(output)
      ? "The npm registry cannot be reached. Check the network or the proxy (`npm config get proxy`), then run this again."
      : undefined,
  );
}
run("Compiling", process.execPath, ["scripts/build.mjs"]);
run("Looking for Python with PyTorch", process.execPath, ["dist/cli/main.js", "setup"]);

function run(what, file, args, explain = (_output) => undefined) {
  process.stderr.write(`> ${what}\n`);
  const log = spawnSync(file, args, {
    stdio: ["ignore", "inherit", "pipe"],
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    shell: file.endsWith(".cmd"),
  });
  if (log.status === 0) return;
  const sentence = explain(log.stderr);
  process.stderr.write(sentence === undefined ? log.stderr : sentence.concat("\n"));
  process.exit(log.status ?? 1);
}
