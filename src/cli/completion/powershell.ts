import type { Described } from "./described.ts";
import { completesOf, flagsOf } from "../flags/description.ts";
import type { Description } from "../flags/description.ts";

/** For Windows PowerShell 5.1 and PowerShell 7. Without an answer PowerShell completes files itself. */
export function powershell(commands: Described): string {
  return `# PowerShell completion for isotorch, made by: isotorch completion powershell
Register-ArgumentCompleter -Native -CommandName isotorch -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $commands = @(${list(commands.map(([name]) => name))})
  $flags = @{
${commands.map(([name, description]) => `    ${quoted(name)} = @(${list(flagNames(description))})`).join("\n")}
  }
  $values = @{
${commands.flatMap(([name, description]) => valuesOf(name, description)).join("\n")}
  }
  $before = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
  if ($before.Count -le 1) { $words = $commands }
  elseif ($values.ContainsKey("$($before[1]) $($before[-1])")) { $words = $values["$($before[1]) $($before[-1])"] }
  elseif ($before.Count -eq 2 -and $values.ContainsKey($before[1]) -and $wordToComplete -notlike '-*') { $words = $values[$before[1]] }
  elseif ($wordToComplete -like '-*') { $words = $flags[$before[1]] }
  else { $words = @() }
  $words | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`;
}

function flagNames(description: Description): string[] {
  return [...Object.keys(flagsOf(description)), "help"].map((flag) => `--${flag}`);
}

/** The words after a flag by "command --flag", and the command's own first words by its name. */
function valuesOf(name: string, description: Description): string[] {
  const entries = Object.entries(flagsOf(description)).flatMap(([flag, facts]) => {
    const completes = completesOf(facts);
    return typeof completes === "string"
      ? []
      : [`    ${quoted(`${name} --${flag}`)} = @(${list(completes)})`];
  });
  const { actions } = description;
  return actions ? [...entries, `    ${quoted(name)} = @(${list(actions)})`] : entries;
}

function list(words: readonly string[]): string {
  return words.map(quoted).join(", ");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
