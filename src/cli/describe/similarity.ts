/** The commands about embeddings: what a network makes of a picture before its head tells classes apart. */
import type { Description, FlagGroup } from "../flags/description.ts";
import { ENVIRONMENT, NETWORK, PICTURES, TIMEOUT } from "./shared.ts";

/** What the file of `embed --out` may end with. */
export const VECTOR_ENDINGS = [".parquet", ".npy", ".jsonl"] as const;

const { labels: _, ...ofNetwork } = NETWORK.flags;
/** No class is named. */
const EMBEDDING: FlagGroup = { ...NETWORK, flags: ofNetwork };

const VECTORS = {
  value: "FILE",
  about: "the vectors of a file that `embed --out` made, in place of DIR: nothing is embedded again",
};

const COSINE = `The cosine is (Σ aᵢbᵢ) / √(Σ aᵢ² · Σ bᵢ²) in float64, each sum from the first element to the last. A vector that is all
zeros has no direction and is like nothing.`;

export const EMBED: Description = {
  summary: "pictures as vectors: what the network's head is given",
  usage: "IMAGE… (--out FILE | --json)",
  examples: [
    "isotorch embed holidays/ --out vectors.npy",
    "isotorch embed --from list.txt --model resnet50 --out vectors.parquet",
    "isotorch embed dog.jpg --json",
    `python -c "import numpy; print(numpy.load('vectors.npy').shape)"     # (N, D), float32`,
  ],
  text: `IMAGE is what \`classify\` takes: a file, a pattern, a folder, a URL, or - for a picture on stdin. The values are float32, as
many as the network gives its head: 2048 of resnet101.`,
  takes: "files",
  groups: [
    {
      flags: {
        from: {
          value: "FILE",
          about: "more pictures: a list with a path or URL per line, - for stdin, or a folder",
        },
        null: { short: "0", about: "the list's entries end with NUL, as those of find -print0 do" },
        out: {
          value: "FILE",
          about:
            "where the vectors go; the same command again goes on where a run ended. A row per picture in a\n" +
            "file that ends with .jsonl or .parquet: input, and embedding or error. One that ends with .npy is\n" +
            "float32 [N, D], and FILE.json beside it names the pictures of its rows (`inputs`) and those that\n" +
            "failed (`failed`). .parquet and .npy are made at the end, of lines in FILE.jsonl",
        },
        json: { about: 'print a line per picture: {"input","embedding":[…]} or {"input","error"}' },
        ...TIMEOUT,
      },
    },
    PICTURES,
    EMBEDDING,
    ENVIRONMENT,
  ],
  end: "Exit codes: 0, 1 when some picture failed, 130 after Ctrl-C.",
};

export const SIMILAR: Description = {
  summary: "the pictures that look most like one",
  usage: "QUERY (DIR… | --vectors FILE)",
  examples: [
    "isotorch similar dog.jpg holidays/",
    "isotorch similar dog.jpg --vectors vectors.npy --top-k 3 --json",
  ],
  text: `QUERY is a picture; DIR is whatever \`classify\` takes. Printed is the cosine of the two embeddings, 1 for the same; of equals
the first picture comes first. QUERY itself is left out.
${COSINE}`,
  takes: "files",
  groups: [
    {
      flags: {
        vectors: {
          ...VECTORS,
          about: `${VECTORS.about}. QUERY is\na picture of that file, by its name there, or another one, which is embedded`,
        },
        "top-k": { value: "N", about: "how many pictures (default 10; 0 = all)" },
        json: {
          about:
            'one object: {"input","similar":[{"input","similarity"}]}; a line before it for each failure',
        },
        ...TIMEOUT,
      },
    },
    PICTURES,
    EMBEDDING,
    ENVIRONMENT,
  ],
  end: "Exit codes: 0, 1 when some picture failed, 130 after Ctrl-C.",
};

export const DUPLICATES: Description = {
  summary: "pictures that are nearly the same, in groups",
  usage: "(DIR… | --vectors FILE)",
  examples: [
    "isotorch duplicates holidays/",
    "isotorch duplicates --vectors vectors.npy --threshold 0.99 --json",
  ],
  text: `DIR is whatever \`classify\` takes. Two pictures belong together when the cosine of their embeddings is at least the
threshold; a group is all that hang together so, also over others: its ends may be less alike. Printed is each
picture's highest cosine with another one of its group, and which files are the same to the last byte.
${COSINE}`,
  takes: "files",
  groups: [
    {
      flags: {
        vectors: VECTORS,
        threshold: { value: "X", about: "the least cosine, 0 to 1 (default 0.95); 1: the same direction" },
        json: {
          about:
            'a line per group: {"group":[{"input","similarity","identicalTo"}]}, and one for each failure',
        },
        ...TIMEOUT,
      },
    },
    PICTURES,
    EMBEDDING,
    ENVIRONMENT,
  ],
  end: "Exit codes: 0 with groups or without, 1 when some picture failed, 130 after Ctrl-C.",
};
