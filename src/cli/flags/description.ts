/**
 * What a command is, as data. Its help, the parser of its flags, the completion scripts and the check of the
 * documentation's samples are all made from this, so that none of them can say something else.
 */
import type { ParseArgsConfig } from "node:util";

export interface Flag {
  /** What stands for its value in the help; without it the flag is on or off. FILE and DIR complete as such. */
  readonly value?: string;
  /** The values that it knows, or the best known ones. */
  readonly choices?: readonly string[];
  /** One letter. */
  readonly short?: string;
  /** May be given several times. */
  readonly multiple?: true;
  /** A sentence or two; lines are broken as they are here. */
  readonly about: string;
}

export interface FlagGroup {
  readonly title?: string;
  readonly flags: Readonly<Record<string, Flag>>;
}

export interface Description {
  /** One line in the list of commands. */
  readonly summary: string;
  /** What follows the command's name, as in `IMAGE… [--json]`. */
  readonly usage: string;
  /** Command lines, with their comments. */
  readonly examples: readonly string[];
  readonly text?: string;
  readonly groups: readonly FlagGroup[];
  /** What is said after the flags: exit codes. */
  readonly end?: string;
  /** The words that may stand first, as `diff` in `manifest diff`. */
  readonly actions?: readonly string[];
  /** What its arguments are, for completion. @default "nothing" */
  readonly takes?: "files" | "folders" | "nothing";
}

/** Every flag of a command by its name, without `--`. */
export function flagsOf({ groups }: Pick<Description, "groups">): Readonly<Record<string, Flag>> {
  return Object.assign({}, ...groups.map(({ flags }) => flags)) as Record<string, Flag>;
}

/** The same for `parseArgs` of `node:util`. */
export function parserOf(description: Pick<Description, "groups">): NonNullable<ParseArgsConfig["options"]> {
  return Object.fromEntries(
    Object.entries(flagsOf(description)).map(([name, { value, multiple, short }]) => [
      name,
      {
        type: value === undefined ? ("boolean" as const) : ("string" as const),
        ...(multiple && { multiple }),
        ...(short !== undefined && { short }),
      },
    ]),
  );
}

/** What `isotorch NAME --help` prints. */
export function helpOf(name: string, description: Description): string {
  const { usage, summary, examples, text, groups, end } = description;
  const names = Object.entries(flagsOf(description)).map(([flag, facts]) => flagName(flag, facts));
  const width = Math.min(24, Math.max(...names.map((flag) => flag.length))) + 2;
  const parts = [
    `isotorch ${name}${usage === "" ? "" : ` ${usage}`} : ${summary}\n`,
    examples.map((example) => `  ${example}\n`).join(""),
    ...(text === undefined ? [] : [`${text}\n`]),
    ...groups.map(({ title, flags }) => {
      const lines = Object.entries(flags).map(([flag, facts]) => flagLine(flag, facts, width));
      return `${title === undefined ? "" : `${title}:\n`}${lines.join("")}`;
    }),
    ...(end === undefined ? [] : [`${end}\n`]),
  ];
  return parts.join("\n");
}

function flagName(name: string, { value, short }: Flag): string {
  return `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;
}

function flagLine(name: string, flag: Flag, width: number): string {
  const left = flagName(name, flag);
  const indent = `\n  ${"".padEnd(width)}`;
  const gap = left.length + 2 > width ? indent : "".padEnd(width - left.length);
  return `  ${left}${gap}${flag.about.replaceAll("\n", indent)}\n`;
}

/** What can follow a flag: nothing, one of these words, a file, a folder, or what nobody can guess. */
export type Completes = "nothing" | "files" | "folders" | "anything" | readonly string[];

export function completesOf({ value, choices }: Flag): Completes {
  if (value === undefined) return "nothing";
  if (choices !== undefined) return choices;
  return value === "FILE" ? "files" : value === "DIR" ? "folders" : "anything";
}
