// Somebody who has a conda and nothing else: a home of their own, and none of this machine's variables.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const CLI = resolve(import.meta.dirname, "../../dist/cli/main.js");
const LONGEST_MS = 600_000;

/**
 * @param home a directory, which is emptied, as are the environments and packages of the installation.
 * @param root an installation of conda.
 * @param condarc the lines of ~/.condarc.
 * @param python what runs `terminal.py`.
 */
export function condaUser({ home, root, condarc, python }) {
  for (const folder of [home, join(root, "envs"), join(root, "pkgs")])
    rmSync(folder, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, ".condarc"), `${condarc.join("\n")}\n`);
  const env = {
    HOME: home,
    PATH: `${join(root, "condabin")}:/usr/bin:/bin`,
    LANG: "C.UTF-8",
    TERM: "xterm",
    // CUDA builds can be solved for without a GPU.
    CONDA_OVERRIDE_CUDA: "12.6",
  };
  const run = (file, args) => {
    const { status, stdout, stderr } = spawnSync(file, args, {
      env,
      encoding: "utf8",
      timeout: LONGEST_MS,
      maxBuffer: 64 * 1024 * 1024,
    });
    return { status, stdout, stderr, shown: `${stdout}${stderr}` };
  };
  const isotorch = (...args) => run(process.execPath, [CLI, ...args]);
  return {
    prefix: join(root, "envs", "isotorch"),
    caches: join(root, "pkgs"),
    conda: (...args) => run(join(root, "condabin", "conda"), args),
    isotorch,
    /** `isotorch` on a terminal, where Ctrl-C is typed. @param when see terminal.py; "never" types none. */
    onTerminal: (when, args, { again = false } = {}) => {
      const terminal = join(import.meta.dirname, "terminal.py");
      const words = again ? [when, "again"] : [when];
      return run(python, [terminal, ...words, "--", process.execPath, CLI, ...args]);
    },
    /** What is in the package cache under such a name: archives, parts of them, directories. */
    packages: (name) => {
      const folder = join(root, "pkgs");
      return existsSync(folder) ? readdirSync(folder).filter((file) => file.startsWith(name)) : [];
    },
  };
}
