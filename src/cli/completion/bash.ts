import type { Described } from "./described.ts";
import { completesOf, flagsOf } from "../flags/description.ts";
import type { Description } from "../flags/description.ts";

/** Runs in bash 3.2, which macOS has, and later. An empty reply leaves files to bash itself. */
export function bash(commands: Described): string {
  return `# bash completion for isotorch, made by: isotorch completion bash
_isotorch() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(([name]) => name).join(" ")} --help --version"
  else
    case "\${COMP_WORDS[1]} $previous" in
${commands.flatMap(([name, description]) => values(name, description)).join("\n")}
    *)
      case "\${COMP_WORDS[1]} $COMP_CWORD $current" in
${commands.map(([name, description]) => places(name, description)).join("\n")}
      esac ;;
    esac
  fi
  [ -n "$words" ] && COMPREPLY=($(compgen -W "$words" -- "$current"))
  return 0
}
complete -o default -F _isotorch isotorch
`;
}

/** What may follow each flag that takes a value. */
function values(name: string, description: Description): string[] {
  return Object.entries(flagsOf(description)).flatMap(([flag, facts]) => {
    const completes = completesOf(facts);
    if (completes === "nothing") return [];
    const pattern = `    '${name} --${flag}')`;
    if (completes === "files") return [`${pattern} ;;`];
    if (completes === "folders") return [`${pattern} compopt -o dirnames 2>/dev/null ;;`];
    if (completes === "anything") return [`${pattern} compopt +o default 2>/dev/null ;;`];
    return [`${pattern} words="${completes.join(" ")}" ;;`];
  });
}

/** What may stand elsewhere: flags, and the command's own words in the first place. */
function places(name: string, description: Description): string {
  const flags = Object.keys(flagsOf(description)).map((flag) => `--${flag}`);
  const { actions } = description;
  const first = actions ? `\n      '${name} 2 '*) words="${actions.join(" ")}" ;;` : "";
  return `      '${name} '*' -'*) words="${[...flags, "--help"].join(" ")}" ;;${first}`;
}
