import { describe, expect, test } from "vitest";
import { refusedWord, runCommand, spawned } from "../../src/python/command.ts";

describe("a batch file on Windows", () => {
  const windows = {
    platform: "win32" as const,
    environ: { ComSpec: String.raw`C:\Windows\System32\cmd.exe` },
  };
  const line = (...args: readonly string[]): string =>
    spawned(String.raw`C:\Program Files\conda.bat`, args, windows)[1].at(-1) ?? "";

  test("goes by way of cmd.exe, every word quoted", () => {
    expect(spawned(String.raw`C:\Program Files\conda.bat`, ["info", 'a"b & c'], windows)).toEqual([
      windows.environ.ComSpec,
      ["/d", "/v:off", "/s", "/c", String.raw`""C:\Program Files\conda.bat" "info" "a""b & c""`],
      true,
    ]);
  });

  test("is the only thing that does", () => {
    expect(spawned("conda.exe", ["info"], windows)).toEqual(["conda.exe", ["info"], false]);
    expect(spawned("/bin/x.bat", [], { ...windows, platform: "linux" })).toEqual(["/bin/x.bat", [], false]);
  });

  test.each(['a" & calc & "', '"&calc', 'x"|"y', "a&b", "^c", "<in", ">out", "(x)", "!x!", "图片"])(
    "has no word in which cmd.exe sees more than text: %s",
    (word) => {
      // What stands outside quotes, after each quote has opened or closed them.
      const outside = line(word)
        .slice(1, -1)
        .split('"')
        .filter((_part, place) => place % 2 === 0);
      expect(outside.join("").trim()).toBe("");
    },
  );

  test.each([
    ["x\\", String.raw`"x\\"`],
    [String.raw`a\"b`, String.raw`"a\\""b"`],
    [String.raw`C:\a b\\`, String.raw`"C:\a b\\\\"`],
    ["", '""'],
  ])("hands on a word that a program reads back: %j", (word, quoted) => {
    expect(line(word).endsWith(` ${quoted}"`)).toBe(true);
  });

  test.each(["100%", "%PATH%", "^%OS^%", "%CMDCMDLINE:~-1%", "a\nb", "a\r"])(
    "is not run with a word that cmd.exe would change: %j",
    (word) => {
      expect(refusedWord("conda.bat", ["-p", word], "win32")).toContain(JSON.stringify(word));
      expect(refusedWord("conda.exe", ["-p", word], "win32")).toBeUndefined();
      expect(refusedWord("conda.bat", ["-p", word], "linux")).toBeUndefined();
    },
  );

  test("is not run from a place that cmd.exe would change", () => {
    expect(refusedWord(String.raw`C:\%OS%\conda.bat`, [], "win32")).toContain("%OS%");
    expect(
      refusedWord(String.raw`C:\my 工具\conda.cmd`, ['q"q', "a&b", "^c", "图片"], "win32"),
    ).toBeUndefined();
  });
});

test("what is not UTF-8 is shown as such in the text, and kept as it came in the bytes", async () => {
  const script = "process.stdout.write(Buffer.from('d5c52ccaa7','hex'))";
  const { stdout, bytes } = await runCommand(process.execPath, ["-e", script]);
  expect(Buffer.from(bytes).toString("hex")).toBe("d5c52ccaa7");
  expect(stdout).toContain("\uFFFD");
});

test("a character that comes in two pieces is one in the lines", async () => {
  const script =
    "process.stdout.write(Buffer.from('e78b','hex'));setTimeout(()=>process.stdout.write(Buffer.from('970a','hex')),50)";
  const lines: string[] = [];
  await runCommand(process.execPath, ["-e", script], { onLine: (text) => lines.push(text) });
  expect(lines).toEqual(["狗"]);
});
