import { describe, expect, it, test } from "vitest";
import { excerpt, shown, shownValue, told, visible, visibleLines } from "../../../src/base/text/shown.ts";
import { IsotorchError, messageOf } from "../../../src/base/errors.ts";
import { say } from "../../../src/cli/terminal/terminal.ts";

const MEGABYTE = 2 ** 20;
/** Controls of both kinds, ends of lines, directions, invisible ones, half a pair, a tag. */
const UNSEEN = "\x00\x07\b\x1b\x7f\x80\x9b\u061c\u200b\u200e\u2028\u2029\u202e\u2066\ufeff\ud800\u{e0041}";

/** What a terminal obeys, or what hides in a line. */
// oxlint-disable-next-line no-control-regex -- it is what is looked for
const OBEYED = /(?!\u200c|\u200d|\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

describe("what is unseen", () => {
  test("stands as the escapes of JSON, and can be had back", () => {
    const seen = visible(UNSEEN);
    expect(seen).not.toMatch(OBEYED);
    expect(JSON.parse(`"${seen}"`)).toBe(UNSEEN);
    expect(visible("a\nb\tc\rd")).toBe(String.raw`a\nb\tc\rd`);
  });

  test("keeps the ends of lines where there are several", () => {
    expect(visibleLines("a\x1b\r\nb")).toBe("a\\u001b\\r\nb");
  });

  it.each(["猫.jpg", "Ünïcode", "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}.png", "می\u200cخواهم", "a b"])(
    "is nothing of %s",
    (name) => expect(visible(name)).toBe(name),
  );
});

describe("an excerpt", () => {
  test("is a text of up to 200 characters as it is, and of a longer one both ends", () => {
    expect(excerpt("x".repeat(200))).toBe("x".repeat(200));
    const cut = excerpt(`start${"x".repeat(MEGABYTE)}end.jpg`);
    expect(cut).toHaveLength(200);
    expect(cut).toMatch(/^startx+…x+end\.jpg$/);
  });

  test("is no longer for its escapes, and cuts no character in two", () => {
    expect(excerpt("\x1b".repeat(MEGABYTE)).length).toBeLessThanOrEqual(200);
    for (let before = 0; before < 4; before += 1)
      expect(excerpt("x".repeat(before) + "😀".repeat(1_000))).not.toMatch(OBEYED);
  });
});

describe("a text in a sentence", () => {
  it.each([
    ["photo", '"photo"'],
    ["my photo.jpg", '"my photo.jpg"'],
    ["nope, or so", '"nope, or so"'],
    ["a.jpg ", '"a.jpg "'],
    ["", '""'],
    ["photo.jpg", "photo.jpg"],
    ["/tmp/my photo", "/tmp/my photo"],
    ["Photo", "Photo"],
  ])("%j stands as %s, in its own case", (text, expected) => {
    expect(shown(text)).toBe(expected);
    expect(new IsotorchError("INPUT_UNREADABLE", `${shown(text)} is a directory`).message).toBe(
      `${expected} is a directory.`,
    );
  });

  test("is in short, with its quotes", () => {
    expect(shown(`word ${"x".repeat(MEGABYTE)}`)).toHaveLength(200);
  });
});

test("a value is shown as JSON, in short, and whole lists and texts are not written out", () => {
  expect(shownValue({ a: "\u009b" })).toBe(String.raw`{"a":"\u009b"}`);
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  for (const value of [
    "x".repeat(MEGABYTE),
    new Uint8Array(MEGABYTE),
    Array.from({ length: MEGABYTE }, Number),
    cyclic,
    1n,
  ])
    expect(shownValue(value, 80).length).toBeLessThanOrEqual(80);
});

describe("an error", () => {
  const value = `${"x".repeat(MEGABYTE)}${UNSEEN}`;

  test("tells nothing that a terminal obeys, wherever its words come from", () => {
    const error = new IsotorchError("WORKER_ERROR", `it said ${value}`, { hint: `try ${value}` });
    for (const text of [error.message, error.hint]) {
      expect(text).not.toMatch(OBEYED);
      expect(text.length).toBeLessThan(300);
    }
  });

  test("has no more than a page, of whatever many words", () => {
    expect(told("word ".repeat(MEGABYTE)).length).toBeLessThanOrEqual(4_000);
    expect(told("line one\n  line two")).toBe("line one\n  line two");
  });

  test("inside of another one is cut, and does not say a long path twice", () => {
    expect(messageOf(new Error(value)).length).toBe(200);
    const path = `/${"p".repeat(100)}`;
    expect(messageOf(Object.assign(new Error(`ENOENT: none, open '${path}'`), { path }))).toBe(
      "ENOENT: none, open",
    );
  });
});

test("what is said to a terminal moves nothing on it; elsewhere it is exact", () => {
  const written: string[] = [];
  const screen = (isTTY: boolean) => ({
    isTTY,
    write: (text: string) => written.push(text) > 0,
    once: () => process.stdout,
  });
  say("a\x1b[2Jb\n", screen(true));
  say("a\x1b[2Jb\n", screen(false));
  expect(written).toEqual(["a\\u001b[2Jb\n", "a\x1b[2Jb\n"]);
});
