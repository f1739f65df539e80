/** `isotorch models [list|pull|make]` */
import { resolve } from "node:path";
import { IsotorchError } from "../errors.ts";
import { resolveCheckpoint } from "../worker/checkpoint.ts";
import { listCheckpoints } from "../worker/catalogue.ts";
import { findEnvironment } from "../worker/environment.ts";
import { makeUntrained } from "../worker/make.ts";
import { classifierOptions, parseFlags, wholeNumber } from "./flags.ts";
import { EXIT } from "./exit.ts";

export const help: string = `isotorch models : the checkpoints that isotorch knows, and whether they are here

  isotorch models [--json]
  isotorch models pull IMAGENET1K_V1            download and verify it
  isotorch models make --seed 0 --out FILE.pth  a real, untrained checkpoint, made offline

  --seed N         of the initialisation (default 0)
  --out FILE       where to write it
  --threads N      PyTorch's threads while making it
  --cache-dir DIR  where checkpoints are kept (default: torchvision's place)
  --mirror URL     download from here instead of torchvision's servers (also ISOTORCH_WEIGHTS_URL)
  --offline        never download
  --python PATH, --env NAME|PREFIX, --json
`;

/** @returns 0. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(argv, {
    seed: { type: "string" },
    out: { type: "string" },
    threads: { type: "string" },
    "cache-dir": { type: "string" },
    python: { type: "string" },
    env: { type: "string" },
    offline: { type: "boolean" },
    mirror: { type: "string" },
    json: { type: "boolean" },
  });
  const options = classifierOptions(values);
  const say = (value: object, text: string): void =>
    void process.stdout.write(values["json"] === true ? `${JSON.stringify(value)}\n` : text);
  const [action = "list", name] = positionals;
  switch (action) {
    case "list": {
      for (const known of await listCheckpoints(options)) {
        const place = `${known.here ? "here" : "not here"}  ${known.path}`;
        say(known, `${known.name.padEnd(15)}${place}\n${"".padEnd(15)}${known.url}\n`);
      }
      return EXIT.ok;
    }
    case "pull": {
      if (name === undefined)
        throw new IsotorchError("INVALID_OPTION", "`models pull` needs the name of weights.");
      const { path } = await resolveCheckpoint(name, options);
      say({ name, path }, `${name}  ${path}\n`);
      return EXIT.ok;
    }
    case "make": {
      if (typeof values["out"] !== "string")
        throw new IsotorchError("INVALID_OPTION", "`models make` needs --out FILE.pth.");
      const out = resolve(values["out"]);
      const seed = wholeNumber("seed", values["seed"] ?? "0");
      const { sha256 } = await makeUntrained(await findEnvironment(options), seed, out, options.threads);
      say(
        { seed, path: out, sha256 },
        `${out}\n  seed ${seed}, sha256 ${sha256}, untrained: its answers mean nothing\n`,
      );
      return EXIT.ok;
    }
    default:
      throw new IsotorchError("INVALID_OPTION", `\`models\` knows list, pull and make, not "${action}".`);
  }
}
