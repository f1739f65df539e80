/** Memory that the system refuses: a typed error, before a native library ends the process over it. */
import { readFileSync } from "node:fs";
import { IsotorchError, messageOf } from "./errors.ts";
import { hasCode } from "./files/files.ts";

/** What Node's own errors say; WebAssembly alone sets 10 GiB of addresses aside, which a limit on them refuses. */
const REFUSED = /memory|allocat/i;
const CODES = [
  "ENOMEM",
  "ERR_WORKER_OUT_OF_MEMORY",
  "ERR_WORKER_INIT_FAILED",
  "ERR_MEMORY_ALLOCATION_FAILED",
];
/** Address space that sharp, ZeroMQ and their threads need to start; where they get none, they end the process. */
const NEEDED_BYTES = 1.25 * 2 ** 30;

/** `OUT_OF_MEMORY` for an error that says that memory was refused; `undefined` for any other. */
export function outOfMemory(error: unknown): IsotorchError | undefined {
  if (error instanceof IsotorchError || !(error instanceof Error)) return undefined;
  const isRefusal =
    hasCode(error, ...CODES) ||
    (/^(?:Range|DataClone)Error$/.test(error.name) && REFUSED.test(error.message));
  return isRefusal ? refused(messageOf(error), error) : undefined;
}

/**
 * Looks whether the address space that this process may still take is enough to start with.
 *
 * @param read the text of a file below /proc/self; throws where there is none, and then nothing is known.
 * @throws IsotorchError `OUT_OF_MEMORY`.
 */
export function checkAddressSpace(read: (name: string) => string = readProc): void {
  let limit: number;
  let taken: number;
  try {
    // "unlimited" is no number.
    limit = Number(/^Max address space\s+(\d+)/m.exec(read("limits"))?.[1] ?? Number.NaN);
    if (Number.isNaN(limit)) return;
    taken = 1024 * Number(/^VmSize:\s+(\d+) kB/m.exec(read("status"))?.[1] ?? 0);
  } catch {
    return;
  }
  if (limit - taken >= NEEDED_BYTES) return;
  throw refused(
    `this process may take ${mebibytes(limit)} MiB of addresses, and has ${mebibytes(taken)} of them`,
  );
}

function refused(what: string, cause?: unknown): IsotorchError {
  return new IsotorchError("OUT_OF_MEMORY", `The system gives this process no more memory: ${what}`, {
    hint: "Free memory. Where `ulimit -v` limits addresses, lift it: Node needs 16 GiB of them for WebAssembly alone, most of which stay empty; limit memory by a cgroup (`docker run --memory`, `systemd-run -p MemoryMax=`) instead",
    cause,
  });
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / 2 ** 20);
}

function readProc(name: string): string {
  return readFileSync(`/proc/self/${name}`, "utf8");
}
