// `npm run test:python`: the worker's own tests, in the environment that `isotorch setup` found.
// pytest comes from the distribution or from PyPI where it is missing.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { findEnvironment } from "../dist/python/environment.js";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { python } = await findEnvironment();

if (run(python, ["-X", "utf8", "-c", "import pytest"], "ignore") !== 0) {
  const byApt = python.startsWith("/usr/bin/") && existsSync("/usr/bin/apt-get") && process.getuid?.() === 0;
  const [file, ...args] = byApt
    ? [
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=300",
        "install",
        "-y",
        "--no-install-recommends",
        "python3-pytest",
      ]
    : [python, "-X", "utf8", "-m", "pip", "install", "pytest"];
  process.stderr.write(`> Installing pytest: ${[file, ...args].join(" ")}\n`);
  if (run(file, args, "ignore") !== 0) {
    process.stderr.write("pytest could not be installed: the tests of the Python worker cannot run.\n");
    process.exit(1);
  }
}
process.exit(
  run(python, ["-X", "utf8", "-m", "pytest", "-c", "python/pyproject.toml", "test/python", "-q"], "inherit"),
);

function run(file, args, stdio) {
  return spawnSync(file, args, { stdio }).status ?? 1;
}
