import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { table } from "../../../src/cli/job/answers.ts";
import { bar, isColoured, print, thumbnailsOf } from "../../../src/cli/terminal/terminal.ts";
import { besideThumbnail, blocks } from "../../../src/cli/terminal/thumbnail.ts";

const screen = (isTTY: boolean, depth = 8) => ({
  isTTY,
  write: () => true,
  once: () => process.stdout,
  getColorDepth: () => depth,
});

test.each([
  ["a terminal", true, {}, true],
  ["a pipe", false, {}, false],
  ["a terminal and NO_COLOR", true, { NO_COLOR: "1" }, false],
  ["a terminal and an empty NO_COLOR", true, { NO_COLOR: "" }, true],
  ["a pipe and FORCE_COLOR", false, { FORCE_COLOR: "1" }, true],
  ["a terminal and FORCE_COLOR=0", true, { FORCE_COLOR: "0" }, false],
  ["NO_COLOR against FORCE_COLOR", true, { NO_COLOR: "1", FORCE_COLOR: "1" }, false],
  ["a dumb terminal", true, { TERM: "dumb" }, false],
])("colours: %s", (_, isTTY, env, expected) => {
  expect(isColoured(screen(isTTY), env)).toBe(expected);
});

test.each([
  ["kitty", { KITTY_WINDOW_ID: "1" }, "kitty"],
  ["kitty by its name", { TERM: "xterm-kitty" }, "kitty"],
  ["ghostty", { TERM: "xterm-ghostty" }, "kitty"],
  ["iTerm2", { TERM_PROGRAM: "iTerm.app" }, "iterm"],
  ["iTerm2 over ssh", { LC_TERMINAL: "iTerm2" }, "iterm"],
  ["WezTerm", { TERM_PROGRAM: "WezTerm" }, "iterm"],
  ["kitty inside tmux", { KITTY_WINDOW_ID: "1", TMUX: "/tmp/x", COLORTERM: "truecolor" }, "blocks"],
  ["a truecolor terminal", { COLORTERM: "24bit" }, "blocks"],
  ["a plain terminal", { TERM: "xterm" }, undefined],
  ["NO_COLOR", { KITTY_WINDOW_ID: "1", NO_COLOR: "1" }, undefined],
])("thumbnails: %s", (_, env, expected) => {
  expect(thumbnailsOf(screen(true), env)).toBe(expected);
  expect(thumbnailsOf(screen(false), env)).toBe(undefined);
});

test("a bar is as long as its fraction, to an eighth of a character", () => {
  expect([0, 0.5, 1, 1 / 16, 3 / 16].map((fraction) => bar(fraction, 2))).toEqual(["", "█", "██", "▏", "▍"]);
  expect(bar(2, 3)).toBe("███");
});

test("a reader that is behind is waited for", async () => {
  let taken: (() => void) | undefined;
  const slow = {
    ...screen(false),
    write: (_: unknown, written: () => void) => ((taken = written), false),
  };
  let isDone = false;
  const printing = print("x", slow as never).then(() => (isDone = true));
  await Promise.resolve();
  expect(isDone).toBe(false);
  taken?.();
  await printing;
});

/** A picture of 44 × 44: red above, blue below. */
const flag = {
  width: 44,
  height: 44,
  data: Uint8Array.from({ length: 44 * 44 * 3 }, (_, at) =>
    at % 3 === (at < 44 * 22 * 3 ? 0 : 2) ? 255 : 0,
  ),
};

describe("a thumbnail is drawn", () => {
  test("by half blocks: two pixels to a character, the same number of columns in each row", () => {
    const rows = blocks(flag);
    expect(rows).toHaveLength(8);
    expect(rows[0]).toContain("\x1b[38;2;255;0;0;48;2;255;0;0m▀");
    expect(rows[7]).toContain("\x1b[38;2;0;0;255;48;2;0;0;255m▀");
    // eslint-disable-next-line no-control-regex
    const widths = rows.map((row) => row.replaceAll(/\x1b\[[0-9;]*m/g, "").length);
    expect(new Set(widths)).toEqual(new Set([22]));
  });

  test("by kitty's protocol: a PNG in pieces, the last of which says so, the cursor kept", async () => {
    const text = await besideThumbnail({ ...flag }, ["name"], "kitty");
    // eslint-disable-next-line no-control-regex
    const pieces = [...text.matchAll(/\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\/g)];
    expect(pieces[0]?.[1]).toMatch(/^a=T,f=100,q=2,C=1,/);
    expect(pieces.map(([, control]) => /m=(\d)/.exec(control ?? "")?.[1]).join("")).toMatch(/^1*0$/);
    expect(await pixelsOfPng(pieces.map(([, , data]) => data).join(""))).toEqual(flag);
    expect(text).toContain("\x1b[24Cname");
  });

  test("by iTerm2's: a PNG with its length", async () => {
    const text = await besideThumbnail(flag, ["name"], "iterm");
    // eslint-disable-next-line no-control-regex
    const [, size, data = ""] = /\x1b\]1337;File=inline=1;size=(\d+);[^:]*:([^\x07]*)\x07/.exec(text) ?? [];
    expect(Buffer.from(data, "base64").length).toBe(Number(size));
    expect(await pixelsOfPng(data)).toEqual(flag);
  });

  test("however thin the picture is", async () => {
    const thin = { width: 1, height: 5_000, data: new Uint8Array(15_000) };
    expect(blocks(thin)).toHaveLength(8);
    expect(await besideThumbnail(thin, [], "kitty")).toContain("\x1b_G");
  });
});

test("a table on a terminal has bars; a file's name cannot speak to the terminal", () => {
  const answer = {
    name: "a\x1b[2Jb.jpg",
    result: { top: [{ label: "tench", index: 0, score: 0.5, percent: 50 }] },
  };
  const plain = table({ isTerminal: true, isColoured: false }).of(answer);
  expect(plain).toBe(`a\\u001b[2Jb.jpg\n  tench  ${"█".repeat(12).padEnd(24)}  50\n`);
  const coloured = table({ isTerminal: true, isColoured: true }).of(answer);
  expect(coloured).toContain("\x1b[32m████");
  const labelled = { ...answer, result: { top: [{ label: "\x1b[2Jx", index: 0, score: 0.5, percent: 50 }] } };
  expect(table({ isTerminal: true, isColoured: false }).of(labelled)).not.toContain("\x1b");
});

test("the lines fit into the terminal, and Chinese labels are as wide as they look", async () => {
  const top = ["金毛寻回犬", "tench"].map((label, index) => ({
    label,
    index,
    score: 0.5,
    percent: 33.333335876464844,
  }));
  const answer = { name: "a.jpg", result: { top } };
  const lines = async (columns: number): Promise<string[]> => {
    const text = await table({ isTerminal: true, isColoured: false, columns }).of(answer);
    return text.trimEnd().split("\n").slice(1);
  };
  expect(await lines(50)).toEqual([
    `  金毛寻回犬  ${"█".repeat(8).padEnd(16)}  33.333335876464844`,
    `  tench       ${"█".repeat(8).padEnd(16)}  33.333335876464844`,
  ]);
  expect((await lines(36))[1]).toBe("  tench       33.333335876464844");
  expect((await lines(200))[1]).toHaveLength(2 + 10 + 2 + 24 + 2 + 18);
});

/** The pixels of a PNG. */
async function pixelsOfPng(base64: string): Promise<{ data: Uint8Array; width: number; height: number }> {
  const decoded = sharp(Buffer.from(base64, "base64")).raw();
  const { data, info } = await decoded.toBuffer({ resolveWithObject: true });
  return { data: Uint8Array.from(data), width: info.width, height: info.height };
}
