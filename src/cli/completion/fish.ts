import type { Described } from "./described.ts";
import { completesOf, flagsOf } from "../flags/description.ts";
import type { Description } from "../flags/description.ts";

export function fish(commands: Described): string {
  const names = commands.map(([name]) => name).join(" ");
  return `# fish completion for isotorch, made by: isotorch completion fish
complete -c isotorch -f
complete -c isotorch -n "not __fish_seen_subcommand_from ${names}" -l help -d "the list of commands"
complete -c isotorch -n "not __fish_seen_subcommand_from ${names}" -l version
${commands
  .flatMap(([name, description]) => [
    `complete -c isotorch -n "not __fish_seen_subcommand_from ${names}" -a ${name} -d ${quoted(description.summary)}`,
    ...linesOf(name, description),
  ])
  .join("\n")}
`;
}

function linesOf(name: string, description: Description): string[] {
  const complete = `complete -c isotorch -n "__fish_seen_subcommand_from ${name}"`;
  const { actions, takes = "nothing" } = description;
  const flags = Object.entries(flagsOf(description)).map(([flag, facts]) => {
    const completes = completesOf(facts);
    const value =
      completes === "nothing"
        ? ""
        : completes === "files"
          ? " -r -F"
          : completes === "folders"
            ? ' -x -a "(__fish_complete_directories)"'
            : completes === "anything"
              ? " -x"
              : ` -x -a ${quoted(completes.join(" "))}`;
    const short = facts.short === undefined ? "" : ` -s ${facts.short}`;
    return `${complete} -l ${flag}${short}${value} -d ${quoted(facts.about.split("\n")[0] ?? "")}`;
  });
  return [
    ...flags,
    ...(actions ? [`${complete} -a ${quoted(actions.join(" "))}`] : []),
    ...(takes === "files" ? [`${complete} -F`] : []),
    ...(takes === "folders" ? [`${complete} -a "(__fish_complete_directories)"`] : []),
  ];
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
