// Runs inside Windows' Node, in a project that has isotorch installed: each scenario is a line of JSON on stdout.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

/** The environment with the NumPy that looks at stdin. */
export const ENV = "numpy-1.26";
export const WEIGHTS = "untrained:0";
export const PYTHON = `${process.env.USERPROFILE}\\anaconda3\\envs\\${ENV}\\python.exe`;
const MAIN = fileURLToPath(new URL("../node_modules/isotorch/dist/cli/main.js", import.meta.url));

/** The module of the installed package with this path in dist/. */
export function internal(path) {
  return import(new URL(`../node_modules/isotorch/dist/${path}`, import.meta.url));
}

export class Failed extends Error {}

/** @throws Failed with what was seen, where it is not what it should be. */
export function check(isWell, seen) {
  if (!isWell) throw new Failed(seen);
  return seen;
}

/** Runs them one after another. Each resolves with what was seen, or rejects. */
export async function scenarios(all) {
  for (const [name, scenario] of Object.entries(all)) {
    const began = Date.now();
    const tell = (isWell, seen) =>
      process.stdout.write(`${JSON.stringify({ name, isWell, seen, ms: Date.now() - began })}\n`);
    try {
      tell(true, await scenario());
    } catch (error) {
      tell(false, error instanceof Failed ? error.message : String(error.stack));
    }
  }
  process.exit(0);
}

/** Starts a program of `children/` in another Node. */
export function child(name, ...args) {
  return started(process.execPath, [
    fileURLToPath(new URL(`children/${name}.mjs`, import.meta.url)),
    ...args,
  ]);
}

/** Runs `isotorch` with these arguments to its end. */
export function isotorch(args, input) {
  const { process: command, ended } = started(process.execPath, [MAIN, ...args]);
  command.stdin.end(input);
  return ended;
}

/** A program, what it printed so far, and how it ended. */
export function started(file, args) {
  const command = spawn(file, args, { stdio: "pipe" });
  const said = { out: "", err: "" };
  command.stdout.setEncoding("utf8").on("data", (text) => (said.out += text));
  command.stderr.setEncoding("utf8").on("data", (text) => (said.err += text));
  const ended = new Promise((resolve) => command.once("close", (code) => resolve({ code, ...said })));
  /** The first line that it prints. */
  const line = async (ms = 120_000) => {
    if (!(await until(() => said.out.includes("\n"), ms)))
      throw new Failed(`it printed nothing: ${said.err}`);
    return said.out.split(/\r?\n/, 1)[0];
  };
  return { process: command, ended, line };
}

/** The milliseconds until the process is gone. @throws Failed */
export async function gone(pid, ms) {
  const began = Date.now();
  if (!(await until(() => !isAlive(pid), ms)))
    throw new Failed(`process ${pid} is still there after ${ms} ms`);
  return Date.now() - began;
}

export async function until(look, ms) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(20)) if (look()) return true;
  return false;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
