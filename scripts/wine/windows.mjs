// One Wine prefix: its paths on this system, and its Node on a command line.
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./run.mjs";

export class Windows {
  /** @param folder the WINEPREFIX */
  constructor(folder) {
    this.folder = folder;
    this.c = join(folder, "drive_c");
    this.d = join(folder, "drive_d");
    this.locales = join(folder, "locales");
    this.project = join(this.c, "project");
  }

  /** The path on this system of one on the drives C: and D:. */
  unix(path) {
    return join(path.startsWith("D:") ? this.d : this.c, ...path.slice(2).split("\\"));
  }

  /** The home directory, on this system. */
  get home() {
    const users = join(this.c, "users");
    const isPerson = (name) => name !== "Public" && /^[\x20-\x7e]+$/.test(name);
    return join(users, readdirSync(users).find(isPerson));
  }

  /** A conda environment of the home directory's Anaconda, on this system. */
  environment(name) {
    return join(this.home, "anaconda3/envs", name);
  }

  /**
   * The variables of a process: Windows has none of this system's, and Wine hands everything on.
   *
   * @param isChinese code page 936 in the place of 1252
   */
  variables(isChinese = false) {
    return {
      PATH: process.env.PATH,
      ...(process.env.USER !== undefined && { USER: process.env.USER }),
      WINEPREFIX: this.folder,
      WINEARCH: "win64",
      WINEDEBUG: "-all",
      TERM: "xterm",
      ...(isChinese ? { LOCPATH: this.locales, LC_ALL: "zh_CN.UTF-8" } : { LC_ALL: "C.UTF-8" }),
    };
  }

  /** Runs one of Wine's own programs to its end. */
  wine(file, args) {
    return run(file, args, { env: this.variables(), timeout: 180_000 });
  }

  /** The words that start Windows' Node, for whoever starts it in another way. */
  nodeCommand(args) {
    return ["wine", join(this.c, "nodejs/node.exe"), ...args];
  }

  /**
   * Starts Windows' Node in the project. The outputs go into files: Wine makes no handle that libuv can open of this
   * system's pipes.
   */
  start(args, { isChinese = false, variables = {} } = {}) {
    const folder = mkdtempSync(join(tmpdir(), "isotorch-wine-"));
    const [out, err] = ["out", "err"].map((name) => join(folder, name));
    const files = [out, err].map((path) => openSync(path, "w"));
    const [file, ...words] = this.nodeCommand(args);
    const env = { ...this.variables(isChinese), ...variables };
    const child = spawn(file, words, { cwd: this.project, env, stdio: ["ignore", ...files] });
    for (const descriptor of files) closeSync(descriptor);
    const read = (path) => readFileSync(path, "utf8").replaceAll("\r\n", "\n");
    const ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        resolve({ code: code ?? signal, stdout: read(out), stderr: read(err) });
        rmSync(folder, { recursive: true, force: true });
      });
    });
    return { child, ended, stdout: () => read(out) };
  }

  /** Runs Windows' Node to its end, and ends it after `timeoutMs`. */
  async node(args, { timeoutMs = 180_000, ...options } = {}) {
    const { child, ended } = this.start(args, options);
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    const result = await ended;
    clearTimeout(timer);
    return result;
  }

  /** `isotorch` with these arguments. */
  isotorch(args, options) {
    return this.node(["node_modules/isotorch/dist/cli/main.js", ...args], options);
  }

  /** The processes of this prefix whose command line holds all of these words. */
  pids(...words) {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && this.#owns(name))
      .filter((pid) => {
        const line = textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
        return words.every((word) => line.includes(word));
      })
      .map(Number);
  }

  /** Ends all that runs in this prefix. */
  end() {
    try {
      this.wine("wineserver", ["-k"]);
    } catch {
      // nothing ran
    }
  }

  #owns(pid) {
    try {
      readlinkSync(`/proc/${pid}/exe`);
    } catch {
      return false; // a zombie, or somebody else's
    }
    return textOf(`/proc/${pid}/environ`).split("\0").includes(`WINEPREFIX=${this.folder}`);
  }
}

function textOf(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
