/** One process that prepares pictures: started, spoken to, killed. Who gets it when is the pool's business. */
import { fileURLToPath } from "node:url";
import { Child, type ChildEnd } from "../../base/child.ts";
import type { FromChild, ToChild } from "./messages.ts";

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
  readonly #child: Child<"messages">;
  readonly #gone: Promise<void>;

  /** @param ended is called once, also where the process was killed. @throws Error where none can be started. */
  constructor(script: URL, heard: (message: FromChild) => void, ended: (end: ChildEnd) => void) {
    this.#child = Child.start("messages", process.execPath, [fileURLToPath(script)], { env: environment() });
    this.#child.onMessage((message) => heard(message as FromChild));
    this.#gone = this.#child.exited.then(ended);
    // The pool keeps the program alive while there is something to wait for.
    this.#child.hold(false);
  }

  /** @throws Error for a message that there is no memory to copy. A process that has ended hears nothing. */
  send(message: ToChild): void {
    this.#child.send(message);
  }

  /** Resolves once the process is gone. */
  async kill(): Promise<void> {
    this.#child.kill();
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
