/** `isotorch down` */
import { say } from "../terminal/terminal.ts";
import { IsotorchError } from "../../base/errors.ts";
import { remove } from "../../ray/deploy.ts";
import { rayPython } from "../../ray/venv.ts";
import { DOWN } from "../describe/ray.ts";
import { parserOf } from "../flags/description.ts";
import { EXIT } from "../exit.ts";
import { parseFlags } from "../flags/flags.ts";

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = parseFlags(argv, parserOf(DOWN));
  if (values["address"] === undefined) {
    throw new IsotorchError("INVALID_OPTION", "Which cluster is not said.", {
      hint: "Give its --address. What `isotorch up --ray` started without one ends with that command, by Ctrl-C.",
    });
  }
  const address = String(values["address"]);
  await remove(await rayPython({ signal }), address);
  say(`The application is off ${address}.\n`);
  return EXIT.ok;
}
