/** What a Python process that ended says of its end on stderr. */

/** Lines that say more than the last one, which is often a hint or the bottom of a stack. */
const TELLING = [
  // Two OpenMP runtimes: the hint behind it advises what gives wrong results.
  /^OMP: Error #\d+.*$/m,
  // Python's fault handler, before the stacks of all threads.
  /^(?:Fatal Python error|Windows fatal exception): .*$/m,
  // The loader and the C++ runtime.
  /^.*symbol lookup error: .*$/m,
  /^terminate called after .*$/m,
];
/** Ends that the build of a library brings about, and that another start would only repeat. */
const OF_THE_BUILD = /^OMP: Error #15\b|^Fatal Python error: Illegal instruction|symbol lookup error: /m;
/** The exit code of an import that failed (docs/protocol.md). */
const IMPORT_FAILED = 69;
/** Signals by which native code ends itself. */
const CRASHES = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGTRAP", "SIGSYS"];
/** Signals that a process brings upon itself: its crashes, its limits, its own timers and pipes. */
const OWN = [
  ...CRASHES,
  "SIGILL",
  "SIGSTKFLT",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGALRM",
  "SIGVTALRM",
  "SIGPROF",
  "SIGPIPE",
];
/** What Windows says of a process that somebody ended, or whose window was closed. */
const ENDED_ON_WINDOWS = [0x4001_0004, 0xc000_013a];
/** What the fault handler and the C++ runtime say before a process ends. */
const REPORT = /^(?:Fatal Python error|Windows fatal exception): |^terminate called after /m;
/** The fault handler's stacks have such a line where a module's own code was running. */
const IN_A_MODULE = /^ {2}File ".*", line \d+ in <module>$/gm;

/** The line of stderr that says most; empty where there is none. */
export function lastLine(stderr: string): string {
  const told = TELLING.map((pattern) => pattern.exec(stderr)?.[0]).find((line) => line !== undefined);
  return (told ?? stderr.trim().split("\n").at(-1) ?? "").trim();
}

/** What is known of an end. */
export interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stderr: string;
}

/** Whether the environment is to blame for an end: its libraries do not fit together, or not on this processor. */
export function isOfEnvironment({ code, signal, stderr }: End): boolean {
  if (code === IMPORT_FAILED || signal === "SIGILL" || OF_THE_BUILD.test(stderr)) return true;
  // The worker's own program is the outermost module, so that an import shows as a second one.
  const modules = stderr.match(IN_A_MODULE) ?? [];
  const isCrash = (signal !== null && CRASHES.includes(signal)) || /^Windows fatal exception: /m.test(stderr);
  return isCrash && modules.length > 1;
}

/**
 * Whether a process was ended by somebody else: by a signal that it does not bring upon itself, such as SIGKILL or SIGTERM,
 * without a report of a crash. Whether that was the system because of its memory, nothing tells.
 */
export function isFromOutside({ code, signal, stderr }: End): boolean {
  const isEnded =
    signal === null ? code !== null && ENDED_ON_WINDOWS.includes(code >>> 0) : !OWN.includes(signal);
  return isEnded && !REPORT.test(stderr);
}
