/** One process that prepares pictures: started, spoken to, killed. Who gets it when is the pool's business. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromChild, ToChild } from "./messages.ts";

/** How a process came to its end. */
export interface Ending {
  /** Why it could not be started at all. */
  readonly error?: Error;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Of this process's environment nothing else is its business, such as a token. */
const PASSED = [
  "SystemRoot",
  "TMPDIR",
  "TEMP",
  "TMP",
  "LD_LIBRARY_PATH",
  "LD_PRELOAD",
  // Windows looks for libraries along it.
  ...(process.platform === "win32" ? ["PATH"] : []),
  // Yarn's Plug'n'Play finds packages by what it sets there.
  ...(process.versions["pnp"] === undefined ? [] : ["NODE_OPTIONS"]),
];

export class PictureProcess {
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;

  /** @param ended is called once, also where the process was killed. @throws Error where none can be started. */
  constructor(script: URL, heard: (message: FromChild) => void, ended: (ending: Ending) => void) {
    const child = spawn(process.execPath, [fileURLToPath(script)], {
      env: environment(),
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      windowsHide: true,
    });
    this.#child = child;
    child.on("message", (message) => heard(message as FromChild));
    this.#gone = new Promise((resolve) => {
      const onEnd = (ending: Ending): void => {
        ended(ending);
        resolve();
      };
      child.once("exit", (code, signal) => onEnd({ code, signal }));
      child.on("error", (error) => {
        // Of a process that runs, its end is the news.
        if (child.pid === undefined) onEnd({ error, code: null, signal: null });
      });
    });
    // The pool keeps the program alive while there is something to wait for.
    child.unref();
    child.channel?.unref();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws Error for a message that there is no memory to copy. A process that has ended hears nothing. */
  send(message: ToChild): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** Resolves once the process is gone. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#gone;
  }
}

function environment(): NodeJS.ProcessEnv {
  const passed = PASSED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  // Electron is Node only where it is told so.
  return {
    ...Object.fromEntries(passed),
    ...(process.versions["electron"] && { ELECTRON_RUN_AS_NODE: "1" }),
  };
}
