import type { Description } from "../flags/description.ts";
import { ENVIRONMENT, MANIFEST, NETWORK, PICTURES, REMOTE, TIMEOUT } from "./shared.ts";

export const INCLUDABLE = ["logits", "probabilities", "embedding", "tensor", "timings"] as const;
export const ACTIVATIONS = ["softmax", "sigmoid"] as const;
export const FORMATS = ["table", "jsonl", "csv", "tsv"] as const;
/** What the file of `--out` may end with. */
export const OUT_ENDINGS = [".jsonl", ".parquet"] as const;
export const THUMBNAILS = ["auto", "kitty", "iterm", "blocks", "off"] as const;

export const CLASSIFY: Description = {
  summary: "the best classes of pictures",
  usage: "IMAGE…",
  examples: [
    "isotorch classify dog.jpg",
    "isotorch classify holidays/ '*.png' https://example.com/dog.jpg",
    "isotorch classify *.jpg --json > answers.jsonl",
    "find . -name '*.jpg' -print0 | isotorch classify --from - --null --csv > answers.csv",
    "cat dog.jpg | isotorch classify -",
    "isotorch classify --watch inbox/ --json",
    "isotorch classify photos/ --weights mine.pth --activation sigmoid --threshold 0.5 --top-k 0",
    "isotorch classify --remote http://gpu:8000 --from list.txt --out answers.jsonl",
  ],
  text: `IMAGE is a file, a pattern (* ? [a-z] {a,b} **), a folder, which is searched with all its folders, an http(s): or
data: URL, or - for a picture on stdin. Answers come in the order of the pictures; a folder's and a pattern's are
sorted by path.`,
  takes: "files",
  groups: [
    {
      flags: {
        from: {
          value: "FILE",
          about:
            "more pictures: a list with a path or URL per line; - reads it from stdin; or a folder. What is there\n" +
            "is meant as it is written; else quotes, blanks, # comments and the columns of a table are thought\n" +
            "of, and GBK and Big5 besides UTF-8 and UTF-16",
        },
        out: {
          value: "FILE",
          about:
            "append the answers as jsonl to a file that ends with .jsonl. The same command again goes on\n" +
            "where a run ended, however it ended: no picture twice, none left out. A file that ends with\n" +
            ".parquet is made at the end, of such lines beside it",
        },
        null: { short: "0", about: "the list's entries end with NUL, as those of find -print0 do" },
        watch: {
          value: "DIR",
          about:
            "then wait for pictures that come to this folder, each when it is written whole; Ctrl-C ends it",
        },
        "top-k": { value: "N", about: "how many classes (default 5; 0 = all)" },
        activation: {
          value: "KIND",
          choices: ACTIVATIONS,
          about:
            "what makes scores of logits: softmax (default), or sigmoid for networks whose pictures may have\nseveral labels",
        },
        threshold: {
          value: "X",
          about: "leave out classes with a lower score, 0 to 1; with --top-k 0: all classes at or above",
        },
        format: {
          value: "FORMAT",
          choices: FORMATS,
          about:
            "table (default); csv or tsv: one row per class; jsonl: one object per picture,\n" +
            '{"input","top":[{"label","index","score","percent"}]} or {"input","error":{"code","message","hint"}}',
        },
        json: { about: "the same as --format jsonl" },
        csv: { about: "the same as --format csv; for Excel with --bom" },
        tsv: {
          about: "the same as --format tsv; \\t, \\n and \\\\ stand for tabs, line ends and backslashes",
        },
        bom: {
          about:
            "begin csv or tsv with the mark by which Excel knows UTF-8; without it Excel takes names and labels\n" +
            "that are not English for text in the local code page",
        },
        include: { value: "LIST", choices: INCLUDABLE, about: `of ${INCLUDABLE.join(", ")}; with --json` },
        thumbnails: {
          value: "HOW",
          choices: THUMBNAILS,
          about: "auto (default: on a terminal that can), kitty, iterm, blocks (truecolor characters), off",
        },
        ...TIMEOUT,
        ...MANIFEST,
      },
    },
    PICTURES,
    NETWORK,
    REMOTE,
    ENVIRONMENT,
  ],
  end: `Bars, colours and thumbnails are for terminals. NO_COLOR leaves colours and thumbnails out, FORCE_COLOR keeps colours
in a pipe.
Exit codes: 0, 1 when some picture failed, 130 after Ctrl-C.`,
};
