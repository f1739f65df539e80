import type { Description } from "../flags/description.ts";
import type { FlagGroup } from "../flags/description.ts";
import { OF_ONE } from "../flags/served.ts";
import { ENVIRONMENT, NETWORK } from "./shared.ts";

const { model, ...others } = NETWORK.flags;

/** As for one network; what is each one's own may be said for each. */
const NETWORKS: FlagGroup = {
  title: "Network",
  flags: {
    model: {
      ...model,
      value: "NAME[=WEIGHTS]",
      multiple: true,
      about:
        "one of torchvision's classifiers, as `isotorch models` lists them: resnet101 (default);\n" +
        "several, each with this flag. WEIGHTS are its own: a name, or a file, which may have any\n" +
        "NAME in addresses, as in flowers=./flowers.pth.\n" +
        `${OF_ONE.map((name) => `--${name}`).join(", ")}: also NAME=VALUE, for one`,
    },
    ...Object.fromEntries(
      Object.entries(others).map(([name, flag]) =>
        OF_ONE.some((own) => own === name) ? [name, { ...flag, multiple: true as const }] : [name, flag],
      ),
    ),
  },
};

export const SERVE: Description = {
  summary: "an HTTP server with a page, metrics and the Open Inference Protocol",
  usage: "",
  examples: [
    "isotorch serve                                   # prints the address of its page, with a token",
    "isotorch serve --port 9000 --weights IMAGENET1K_V2",
    "isotorch serve --text tiny                       # for OpenAI's clients, at /v1/completions",
    "isotorch serve --model resnet50 --model flowers=./flowers.pth --labels flowers=./flowers.txt",
    'curl -H "Authorization: Bearer TOKEN" --data-binary @dog.jpg http://127.0.0.1:8000/classify',
  ],
  text: `POST /classify answers a picture in the body as \`classify --json\` does, /v2/… is the Open Inference Protocol with binary
tensors (tritonclient works with it), /metrics is for Prometheus, and / is a page to drop pictures on.`,
  groups: [
    {
      flags: {
        text: {
          value: "NAME[=WEIGHTS]",
          multiple: true,
          about:
            "a network that continues texts at /v1/completions: gpt2, gpt2-medium, gpt2-large, gpt2-xl or\n" +
            "tiny, or any NAME for the WEIGHTS of a folder; several, each with this flag. Without --model\n" +
            "the server classifies no pictures then",
        },
        host: { value: "H", about: "where it listens (default 127.0.0.1: this machine alone)" },
        port: { value: "N", about: "0 takes a free one (default 8000)" },
        token: {
          value: "VALUE|off",
          about:
            "what clients have to show (default a random one; also ISOTORCH_TOKEN, which `ps` does not show)",
        },
        "allow-host": {
          value: "HOST",
          multiple: true,
          about:
            "also answered Host headers: NAME, NAME:PORT, *.NAME, 10.*, or * with a token; may be repeated",
        },
        timeout: {
          value: "MS",
          about: "for a request that names no time of its own (default 30000; more for large networks)",
        },
        log: {
          value: "LEVEL",
          choices: ["silent", "error", "warn", "info", "debug"],
          about: "JSON lines on stderr (default warn on a terminal, else info)",
        },
        "max-pixels": { value: "N", about: "of a picture: width times height at most (default 50000000)" },
        "max-bytes": { value: "N", about: "of a picture's file (default 20971520)" },
        "max-side": { value: "N", about: "of a picture: width, and height, at most (default 65535)" },
        "max-scans": { value: "N", about: "of a JPEG (default 100)" },
        "max-chunks": { value: "N", about: "of a picture's file (default 4096)" },
        "no-compare": { about: "no plain PyTorch beside the worker" },
      },
    },
    NETWORKS,
    ENVIRONMENT,
  ],
  end: "The first Ctrl-C lets running requests finish, the second ends at once.",
};
