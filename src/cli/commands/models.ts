/** `isotorch models [list|pull|make]` */
import { say } from "../terminal/terminal.ts";
import { excerpt } from "../../base/text/shown.ts";
import { resolve } from "node:path";
import { IsotorchError } from "../../base/errors.ts";
import { resolveCheckpoint } from "../../checkpoints/resolve.ts";
import { listCheckpoints } from "../../checkpoints/list.ts";
import { findEnvironment } from "../../python/environment.ts";
import { makeUntrained } from "../../checkpoints/make.ts";
import { surroundings } from "../../python/surroundings.ts";
import { noteUsed } from "../../python/used.ts";
import { classifierOptions, parseFlags, wholeNumber } from "../flags/flags.ts";
import { MODELS } from "../describe/environment.ts";
import { parserOf } from "../flags/description.ts";
import { EXIT } from "../exit.ts";

/** @returns 0. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(MODELS));
  const options = { ...classifierOptions(values), signal };
  const tell = (value: object, text: string): void =>
    say(values["json"] === true ? `${JSON.stringify(value)}\n` : text);
  const [action = "list", name] = positionals;
  switch (action) {
    case "list": {
      for (const known of await listCheckpoints(options)) {
        const place = `${known.here ? "here" : "not here"}  ${known.path}`;
        tell(known, `${known.name.padEnd(15)}${place}\n${"".padEnd(15)}${known.url}\n`);
      }
      return EXIT.ok;
    }
    case "pull": {
      if (name === undefined)
        throw new IsotorchError("INVALID_OPTION", "`models pull` needs the name of weights.");
      const { path } = await resolveCheckpoint(name, options);
      tell({ name, path }, `${name}  ${path}\n`);
      return EXIT.ok;
    }
    case "make": {
      if (typeof values["out"] !== "string")
        throw new IsotorchError("INVALID_OPTION", "`models make` needs --out FILE.pth.");
      const out = resolve(values["out"]);
      const seed = wholeNumber("seed", values["seed"] ?? "0");
      const environment = await findEnvironment(options);
      const { sha256 } = await makeUntrained(environment, seed, out, { threads: options.threads, signal });
      await noteUsed(environment, surroundings());
      tell(
        { seed, path: out, sha256 },
        `${out}\n  seed ${seed}, sha256 ${sha256}, untrained: its answers mean nothing\n`,
      );
      return EXIT.ok;
    }
    default:
      throw new IsotorchError(
        "INVALID_OPTION",
        `\`models\` knows list, pull and make, not "${excerpt(action)}".`,
      );
  }
}
