// The command, as built.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const MOST_BYTES = 64 * 1024 * 1024;

/** Runs `isotorch ARGS`: its `code` (or the signal that ended it), `stdout` and `stderr`. */
export function isotorch(args, signal) {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { maxBuffer: MOST_BYTES, signal }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout, stderr });
    });
  });
}
