/** How a process ended, in words. The only table of what the exit statuses of Windows mean. */

/** NTSTATUS values that a process ends with when Windows, not the program, decides. */
const WINDOWS: Readonly<Record<number, string>> = {
  0x40010004: "it was ended from outside",
  0x80000003: "a breakpoint or a failed assertion in a native library",
  0xc0000005: "access violation: a native library crashed",
  0xc0000006: "a file of the program could not be read from its disk",
  0xc0000017: "out of memory",
  0xc000001d: "illegal instruction: this build wants a newer processor",
  0xc0000094: "a native library divided by zero",
  0xc00000fd: "stack overflow",
  0xc000012d: "out of memory: the page file is full or too small",
  0xc0000135: "a DLL was not found",
  0xc0000138: "a DLL lacks a function: it is of another version",
  0xc0000139: "a DLL lacks a function: it is of another version",
  0xc000013a: "ended by Ctrl-C, or because its window was closed",
  0xc0000142: "a DLL could not be initialised",
  0xc000007b: "a DLL is damaged or of another architecture",
  0xc0000374: "heap corruption: a native library crashed",
  0xc0000409: "a native library stopped itself: its stack was overwritten, or it called abort",
  0xc06d007e: "a DLL was not found",
  0xc06d007f: "a DLL lacks a function: it is of another version",
  0xe06d7363: "a C++ exception that nothing caught",
};
/** From here on an exit status is Windows' own, which nobody knows by its decimal digits. */
const FIRST_OF_WINDOWS = 0x4000_0000;

/**
 * An exit status as people read it: `3`, or `0xC0000005 (access violation: a native library crashed)`. Some programs
 * hand Windows' on as negative numbers; `null`, of a process that a signal ended, is `unknown`.
 */
export function statusText(code: number | null | undefined): string {
  if (code === null || code === undefined) return "unknown";
  if (!isOfWindows(code)) return `${code}`;
  const status = code >>> 0;
  const meaning = WINDOWS[status];
  return `0x${status.toString(16).toUpperCase().padStart(8, "0")}${meaning === undefined ? "" : ` (${meaning})`}`;
}

/** How a process ended: `by SIGKILL`, or `with exit code 3`. */
export function endText(code: number | null | undefined, signal?: string | null): string {
  return signal ? `by ${signal}` : `with exit code ${statusText(code)}`;
}

/** What a program said last on stderr; how it ended too where it said nothing, or where the system ended it. */
export function lastWords(stderr: string, code: number | null | undefined): string {
  const line = stderr.trim().split("\n").at(-1)?.trim() ?? "";
  const end = `exit code ${statusText(code)}`;
  if (line === "") return end;
  return isOfWindows(code) ? `${line}; ${end}` : line;
}

function isOfWindows(code: number | null | undefined): boolean {
  return code !== null && code !== undefined && (code < 0 || code >= FIRST_OF_WINDOWS);
}
