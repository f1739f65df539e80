import type { Description } from "../flags/description.ts";

export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;

export const COMPLETION: Description = {
  summary: "the script that completes commands, flags and their values in a shell",
  usage: SHELLS.join("|"),
  examples: [
    'eval "$(isotorch completion bash)"                                   # in ~/.bashrc',
    'eval "$(isotorch completion zsh)"                                    # in ~/.zshrc, after compinit',
    "isotorch completion fish > ~/.config/fish/completions/isotorch.fish",
    "isotorch completion powershell | Out-String | Invoke-Expression      # in $PROFILE",
  ],
  actions: SHELLS,
  groups: [],
};
