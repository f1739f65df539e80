/** The commands about texts: what continues them, and what the network makes of them on its way. */
import type { Flag, Description, FlagGroup } from "../flags/description.ts";
import { ENVIRONMENT, NETWORK } from "./shared.ts";

/** Flags that choose a network of texts; what they share with those of pictures has the same words. */
export const TEXT_NETWORK: FlagGroup = {
  title: "Network",
  flags: {
    model: {
      value: "NAME",
      choices: ["gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "tiny"],
      about: "gpt2 (default), gpt2-medium, gpt2-large, gpt2-xl; or tiny, which comes with the package",
    },
    weights: {
      value: "WHAT",
      choices: ["pretrained", "untrained:0"],
      about:
        "pretrained (default); a folder with config.json, model.safetensors and the tokenizer's files; a\n" +
        ".safetensors file; or untrained:SEED, whose texts mean nothing",
    },
    sha256: NETWORK.flags["sha256"]!,
    device: { ...NETWORK.flags["device"]!, about: "auto (default), cpu, cuda or cuda:N" },
    threads: NETWORK.flags["threads"]!,
  },
};

export const TEXT_ENVIRONMENT: FlagGroup = {
  ...ENVIRONMENT,
  flags: {
    ...ENVIRONMENT.flags,
    mirror: { value: "URL", about: "where checkpoints are downloaded from, instead of the Hugging Face hub" },
  },
};

const FILE: Flag = { value: "FILE", about: "the prompt is the text of this file; - reads it from stdin" };

const PROMPTS = `PROMPT is a text, or - for one on stdin. Of a file and of stdin one line end at the end is left out.`;

export const GENERATE: Description = {
  summary: "continues a text, token by token as they come",
  usage: "PROMPT",
  examples: [
    'isotorch generate "In the beginning" --model tiny',
    'isotorch generate "The dog" --temperature 0 --max-tokens 18     # the likeliest token each time',
    'isotorch generate "The dog" --seed 7 --top-k 40                 # the same text again',
    'isotorch generate "The dog" --explain                           # what could have come at each step',
    "cat prompt.txt | isotorch generate - --json > tokens.jsonl",
  ],
  text: `${PROMPTS}
Nothing but the text goes to stdout. Each run gives another text; its seed is told on stderr, and --seed gives the same text
again, in the same environment and with as many threads.`,
  groups: [
    {
      flags: {
        file: FILE,
        explain: {
          about: "show the likeliest tokens of each step with their probabilities, and which one was drawn",
        },
        candidates: {
          value: "N",
          about:
            "likeliest tokens that are told with each token, at most 100: with --json (default 0) or\n--explain (default 5)",
        },
        json: {
          about:
            'a line per token, {"id","text","logprob"} and "candidates", then {"text","ids","seed",\n' +
            '"finishReason","promptTokens","model","weights"}',
        },
        timeout: {
          value: "MS",
          about: "from one token to the next (default 120000; more for large networks)",
        },
      },
    },
    {
      title: "Sampling",
      flags: {
        "max-tokens": { value: "N", about: "new tokens at most (default 64)" },
        temperature: {
          value: "T",
          about: "below 1 likelier, above 1 more surprising; 0: the likeliest token each time (default 1)",
        },
        "top-k": { value: "N", about: "draw from the N likeliest tokens alone (default 0 = all)" },
        "top-p": {
          value: "P",
          about: "draw from the likeliest tokens that together reach this probability (default 1 = all)",
        },
        "min-p": {
          value: "P",
          about: "leave out tokens with less than this share of the likeliest one's probability (default 0)",
        },
        "repetition-penalty": {
          value: "X",
          about: "above 1: tokens that stand in the text already are less likely (default 1)",
        },
        seed: { value: "N", about: "0 to 4294967295 (default: one is drawn, and told)" },
        stop: {
          value: "TEXT",
          multiple: true,
          about: "a text that ends the answer, which does not have it; may be given several times",
        },
      },
    },
    TEXT_NETWORK,
    TEXT_ENVIRONMENT,
  ],
  end: `Probabilities are those of the network itself, before temperature and filters change them.
Exit codes: 0, 1 for a prompt that cannot be continued, 130 after Ctrl-C.`,
};

export const INSPECT: Description = {
  summary: "what the network makes of a text: tokens, embeddings, who looks at whom",
  usage: "PROMPT",
  examples: [
    'isotorch inspect "The dog chased the cat" --model tiny',
    'isotorch inspect "The dog chased the cat" --layer 5 --head 3',
    'isotorch inspect "The dog chased the cat" --html attention.html     # every layer and head',
    'isotorch inspect "The dog" --out arrays/                            # attention.npy and the others',
  ],
  text: `${PROMPTS}
Shows each token with its id, the first numbers of its embedding, and the tokens whose embeddings are most like it; then the
attention of one head: who looks at whom. Layers and heads count from 0.`,
  groups: [
    {
      flags: {
        file: FILE,
        layer: { value: "N", about: "whose attention is shown (default 0)" },
        head: { value: "N", about: "which of the layer's heads (default: the mean of all of them)" },
        html: { value: "FILE", about: "write a page with the attention of every layer and head" },
        out: {
          value: "DIR",
          about:
            "write every stage for NumPy: tokenEmbeddings.npy, positionEmbeddings.npy, attention.npy, hidden.npy,\n" +
            "norm.npy and logits.npy, float32",
        },
        json: {
          about:
            'one object: {"tokens":[{"id","text","embedding","nearest"}],"attention":{"layer","head","weights"}}',
        },
        timeout: {
          value: "MS",
          about: "from one layer to the next (default 120000; more for large networks)",
        },
      },
    },
    TEXT_NETWORK,
    TEXT_ENVIRONMENT,
  ],
  end: "Exit codes: 0, 1 for a text that the network cannot read.",
};
