import { expect, test } from "vitest";
import { endText, lastWords, statusText } from "../../src/base/status.ts";
import { deathOf } from "../../src/worker/failure.ts";

test.each([
  [3221225477, "0xC0000005 (access violation: a native library crashed)"],
  [-1073741819, "0xC0000005 (access violation: a native library crashed)"],
  [3221225501, "0xC000001D (illegal instruction: this build wants a newer processor)"],
  [3221225725, "0xC00000FD (stack overflow)"],
  [3221225781, "0xC0000135 (a DLL was not found)"],
  [3221225786, "0xC000013A (ended by Ctrl-C, or because its window was closed)"],
  [3221226505, "0xC0000409 (a native library stopped itself: its stack was overwritten, or it called abort)"],
  [3221225794, "0xC0000142 (a DLL could not be initialised)"],
  [3221225495, "0xC0000017 (out of memory)"],
  [3221225773, "0xC000012D (out of memory: the page file is full or too small)"],
  [3221225999, "0xC000020F"],
])("the exit status %d of Windows is %s", (code, words) => {
  expect(statusText(code)).toBe(words);
});

test("a program's own exit status stays as it is, and a missing one is said to be", () => {
  expect([0, 1, 69, 130, 255].map(statusText)).toEqual(["0", "1", "69", "130", "255"]);
  expect(statusText(null)).toBe("unknown");
  expect(endText(null, "SIGKILL")).toBe("by SIGKILL");
  expect(endText(1, null)).toBe("with exit code 1");
});

test("what was said last stands alone, unless the system ended the program or it said nothing", () => {
  expect(lastWords("warning\nImportError: no torch\n", 1)).toBe("ImportError: no torch");
  expect(lastWords(" \n", 1)).toBe("exit code 1");
  expect(lastWords("UserWarning: old\n", 3221225781)).toBe(
    "UserWarning: old; exit code 0xC0000135 (a DLL was not found)",
  );
});

test("a worker's death tells it, at work and while it starts", () => {
  const neverWas = { code: null, signal: null, stderr: "", cause: new Error("spawn C:\\python.exe ENOENT") };
  expect(deathOf(neverWas, "starting Python").message).toBe(
    "The worker could not be started: spawn C:\\python.exe ENOENT.",
  );
  const exit = { code: 3221225477, signal: null, stderr: "" };
  const how = "The worker ended with exit code 0xC0000005 (access violation: a native library crashed)";
  expect(deathOf(exit, undefined).message).toBe(`${how}.`);
  expect(deathOf(exit, "import").message).toBe(`${how} while import.`);
});
