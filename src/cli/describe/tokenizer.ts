/** The commands about tokens: what a language model reads in place of text. */
import type { Description } from "../flags/description.ts";

export const TOKENIZER: Description = {
  summary: "text as tokens and back, as GPT-2 does it",
  usage: "train FILE…|encode TEXT|decode ID…",
  examples: [
    "isotorch tokenizer train bible.txt --vocab 2048 --steps 3      # shows the first three merges",
    "isotorch tokenizer train *.txt --vocab 3072 --out vocabulary/",
    'isotorch tokenizer encode "The dog" --json                     # {"ids":[464,3290],"tokens":["The"," dog"]}',
    "isotorch tokenizer encode bible.txt --vocab vocabulary/ --out bible.npy",
    "isotorch tokenizer decode 464 3290",
  ],
  text: `\`train\` merges the most frequent pair of neighbouring tokens, again and again, until there are N tokens: 256 bytes, special
tokens, and what the merges make. It gives what HuggingFace's BpeTrainer gives of the same texts; each file is one text.
\`encode\` takes a text, or the name of a file that is there. The vocabulary is GPT-2's, unless --vocab names another one.`,
  actions: ["train", "encode", "decode"],
  takes: "files",
  groups: [
    {
      flags: {
        vocab: {
          value: "N|DIR",
          about:
            "train: tokens of the vocabulary (default 2048); encode, decode: its folder or file (default GPT-2's)",
        },
        out: {
          value: "FILE|DIR",
          about: `train: the folder for vocab.json, merges.txt and tokenizer.json; encode: a .npy file of the ids,
int64 [N]`,
        },
        json: { about: "train: a line per merge, then one for the vocabulary; encode, decode: one object" },
      },
    },
    {
      title: "Train",
      flags: {
        steps: { value: "K", about: "show the first K merges, 0 for none (default 10; with --json all)" },
        "min-frequency": { value: "N", about: "do not merge pairs that are less frequent (default 0)" },
        special: { value: "TEXT", multiple: true, about: "a text that is one token, such as <|endoftext|>" },
        rule: {
          value: "NAME",
          choices: ["huggingface", "minbpe"],
          about: `of equally frequent pairs the one with smaller ids goes first (huggingface, default), or the one
that stands first in the texts (minbpe)`,
        },
      },
    },
    {
      title: "Encode",
      flags: {
        text: { about: "the argument is a text, also where a file has this name" },
        "allow-special": {
          value: "TEXT",
          multiple: true,
          about: 'a special token that is one token in the text, or "all"; else they are ordinary text',
        },
      },
    },
  ],
  end: "Exit codes: 0, 1 when an input cannot be read, 2 for a vocabulary that does not fit together.",
};
