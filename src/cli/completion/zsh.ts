import type { Described } from "./described.ts";
import { completesOf, flagsOf } from "../flags/description.ts";
import type { Description, Flag } from "../flags/description.ts";

/** To be sourced after compinit, or put into a folder of fpath as _isotorch. */
export function zsh(commands: Described): string {
  return `#compdef isotorch
# zsh completion for isotorch, made by: isotorch completion zsh
_isotorch() {
  local -a commands
  commands=(
${commands.map(([name, { summary }]) => `    ${quoted(`${name}:${summary}`)}`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe -t commands 'isotorch command' commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${commands.map(([name, description]) => caseOf(name, description)).join("\n")}
  esac
}
if [ "$funcstack[1]" = "_isotorch" ]; then _isotorch "$@"; else compdef _isotorch isotorch; fi
`;
}

function caseOf(name: string, description: Description): string {
  const flags = Object.entries(flagsOf(description)).map(([flag, facts]) => specOf(flag, facts));
  const { actions, takes } = description;
  const rest =
    takes === "folders" ? "'*:folder:_files -/'" : takes === "files" ? "'*:file:_files'" : undefined;
  const specs = [
    ...flags,
    "'--help[what it takes, with examples]'",
    ...(actions ? [`'1:action:(${actions.join(" ")})'`] : []),
    ...(rest === undefined ? [] : [rest]),
  ];
  return `    ${name})\n      _arguments ${specs.join(" \\\n        ")} ;;`;
}

function specOf(name: string, flag: Flag): string {
  const completes = completesOf(flag);
  const about = (flag.about.split("\n")[0] ?? "").replaceAll(/[[\]\\]/g, "").replaceAll(":", ";");
  const repeated = flag.multiple ? "*" : "";
  const value = (action: string): string => `:${flag.value?.replaceAll("|", " or ") ?? ""}:${action}`;
  const action =
    completes === "nothing"
      ? ""
      : completes === "files"
        ? value("_files")
        : completes === "folders"
          ? value("_files -/")
          : completes === "anything"
            ? value("( )")
            : value(`(${completes.join(" ").replaceAll(":", "\\:")})`);
  return quoted(`${repeated}--${name}[${about}]${action}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
