/** What the terminal can show, and writing that waits for the reader. */
import { visibleLines } from "../../base/text/shown.ts";
import { styleText } from "node:util";

/** A stream to which people or programs listen. */
type Screen = Pick<NodeJS.WriteStream, "write" | "once"> &
  Partial<Pick<NodeJS.WriteStream, "isTTY" | "columns" | "getColorDepth">>;

type Variables = Readonly<Record<string, string | undefined>>;

/** Whether colours are wanted there: `NO_COLOR` and `FORCE_COLOR` decide, else whether it is a terminal. */
export function isColoured(screen: Screen, env: Variables = process.env): boolean {
  if (env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "") return false;
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  return screen.isTTY === true && env["TERM"] !== "dumb";
}

export type ThumbnailKind = "kitty" | "iterm" | "blocks";

/** Columns below which there is no room for a picture beside the text. */
const NARROW = 60;

/** How pictures can be shown there: by a protocol of the terminal, by truecolor characters, or not at all. */
export function thumbnailsOf(screen: Screen, env: Variables = process.env): ThumbnailKind | undefined {
  if (screen.isTTY !== true || !isColoured(screen, env) || (screen.columns ?? 80) < NARROW) return undefined;
  // A multiplexer swallows what it does not know.
  const isDirect = env["TMUX"] === undefined && env["STY"] === undefined;
  if (isDirect && (env["KITTY_WINDOW_ID"] !== undefined || /kitty|ghostty/.test(env["TERM"] ?? "")))
    return "kitty";
  const program = env["TERM_PROGRAM"] ?? env["LC_TERMINAL"] ?? "";
  if (isDirect && /^(iTerm\.app|iTerm2|WezTerm)$/.test(program)) return "iterm";
  const depth = /^(truecolor|24bit)$/.test(env["COLORTERM"] ?? "") ? 24 : (screen.getColorDepth?.(env) ?? 1);
  return depth === 24 ? "blocks" : undefined;
}

/** Text in a style, where colours are wanted. */
export function styled(style: Parameters<typeof styleText>[0], text: string, isOn: boolean): string {
  return isOn ? styleText(style, text, { validateStream: false }) : text;
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar of `fraction` × `width` characters, to an eighth of one. */
export function bar(fraction: number, width: number): string {
  const eighths = Math.round(Math.max(0, Math.min(1, fraction)) * width * 8);
  return "█".repeat(eighths >> 3) + (EIGHTHS[eighths & 7] ?? "");
}

/**
 * Writes what a command says to people. On a terminal what is unseen in it stands as escapes, whoever made the text: no
 * file's name and no server's answer moves the cursor.
 */
export function say(text: string, screen: Screen = process.stdout): void {
  screen.write(screen.isTTY === true ? visibleLines(text) : text);
}

/** Writes, and waits until the reader has taken it: a slow reader then slows the work, and nothing piles up. */
export async function print(text: string, screen: Screen = process.stdout): Promise<void> {
  // Also of a stream that takes nothing any more.
  await new Promise<void>((resolve) => {
    if (screen.write(text, () => resolve())) resolve();
  });
}
