/** The generators of a server, by the names that requests have for them. */
import { isRecord } from "../../base/files/json.ts";
import { invalid } from "../../base/options/check.ts";
import { shown } from "../../base/text/shown.ts";
import type { TextGenerator } from "../../generation/generator.ts";
import { checkName } from "../names.ts";
import { HttpProblem } from "../problem.ts";

export type Generators = Readonly<Record<string, TextGenerator>>;

/** By their names, the first first; none where none was given. @throws IsotorchError `INVALID_OPTION` */
export function generatorsOf(given: TextGenerator | Generators | undefined): Generators {
  if (given === undefined) return {};
  if (isGenerator(given)) return { [nameOf(given)]: given };
  const names = Object.keys(given);
  names.forEach(checkName);
  if (names.length > 0 && Object.values(given).every(isGenerator)) return given;
  throw invalid(
    'Option "generator" is no generator, nor has any by its name.',
    "Give what `createGenerator` gave.",
  );
}

/** The one that a request names, or the first. @throws HttpProblem `NOT_FOUND` */
export function generatorOf(
  generators: Generators,
  asked: string | undefined,
): { readonly name: string; readonly generator: TextGenerator } {
  const name = asked ?? Object.keys(generators)[0] ?? "";
  const generator = Object.hasOwn(generators, name) ? generators[name] : undefined;
  if (generator !== undefined) return { name, generator };
  const names = Object.keys(generators);
  throw new HttpProblem(
    "NOT_FOUND",
    names.length === 0 ? "This server continues no texts." : `There is no model ${shown(name)}.`,
    names.length === 0 ? "Start it with a generator." : `There is ${names.join(", ")}.`,
  );
}

/** That of its network; of one that has none that an address can have, `gpt2`. */
function nameOf(generator: TextGenerator): string {
  const { model } = generator.info();
  return /^[\w.-]{1,100}$/.test(model) ? model : "gpt2";
}

function isGenerator(value: unknown): value is TextGenerator {
  return isRecord(value) && typeof value["stream"] === "function" && typeof value["inspect"] === "function";
}
