/** The networks of one server: `--model NAME`, or `NAME=WEIGHTS`, each with the flags that are its own. */
import { shown, shownValue } from "../../base/text/shown.ts";
import { invalid } from "../../base/options/check.ts";
import { isPath } from "../../checkpoints/resolve.ts";
import { knownModel, modelNames } from "../../checkpoints/table.ts";
import { textModelNames } from "../../checkpoints/text/table.ts";
import type { Values } from "./flags.ts";

/** Flags that are given for all networks, or as `NAME=VALUE` for one. */
export const OF_ONE = ["labels", "transforms", "checkpoint-key", "sha256"] as const;

export interface Served {
  /** Undefined for the only one, which has that of its network. */
  readonly name: string | undefined;
  /** Its flags, as those of a command with one network. */
  readonly values: Values;
}

/** @throws IsotorchError `INVALID_OPTION` for a name that comes twice, or means nothing. */
export function servedOf(values: Values): readonly [Served, ...Served[]] {
  const given = [values["model"] ?? []].flat().map(String);
  const [first = "", ...more] = given;
  if (more.length === 0 && !first.includes("=")) {
    const model = first === "" ? {} : { model: first };
    return [{ name: undefined, values: { ...withOwn(values, undefined, []), ...model } }];
  }
  const parted = given.map((one) => namedValue(one));
  const names = parted.map(([name]) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined)
    throw invalid(`--model ${shown(twice)} is given twice.`, "Name one of them as you like: NAME=WEIGHTS.");
  const served = parted.map(([name, weights = values["weights"]]) => {
    const isKnown = modelNames().includes(name);
    // Whatever is no file has to be of a network that is known by name.
    if (!isKnown && !isPath(String(weights ?? ""))) knownModel(name);
    return { name, values: { ...withOwn(values, name, names), weights, ...(isKnown && { model: name }) } };
  });
  return served as unknown as [Served, ...Served[]];
}

/** The generators of one server: `--text NAME`, or `NAME=WEIGHTS`. @throws IsotorchError `INVALID_OPTION` as {@link servedOf}. */
export function servedTexts(values: Values): readonly { readonly name: string; readonly values: Values }[] {
  const parted = [values["text"] ?? []]
    .flat()
    .map((given) => namedValue(String(given), "--text", "bible=./gpt2-bible"));
  const names = parted.map(([name]) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined)
    throw invalid(`--text ${shown(twice)} is given twice.`, "Name one of them as you like: NAME=WEIGHTS.");
  const { threads, device, python, env, offline, "cache-dir": cacheDir } = values;
  const machine = { threads, device, python, env, offline, "cache-dir": cacheDir };
  return parted.map(([name, weights]) => {
    const isKnown = textModelNames().includes(name);
    return {
      name,
      values: { ...machine, weights, ...((isKnown || weights === undefined) && { model: name }) },
    };
  });
}

/** `NAME=VALUE`, or a name alone. */
function namedValue(
  given: string,
  flag = "--model",
  example = "flowers=./flowers.pth",
): readonly [name: string, value: string | undefined] {
  const at = given.indexOf("=");
  if (at === -1) return [given, undefined];
  const [name, value] = [given.slice(0, at), given.slice(at + 1)];
  if (name !== "" && value !== "") return [name, value];
  throw invalid(`${flag} is ${shownValue(given)}, expected NAME or NAME=WEIGHTS.`, `Such as ${example}.`);
}

/** Of flags that may be one network's: what is said for this one, else what is said for all. */
function withOwn(values: Values, name: string | undefined, names: readonly string[]): Values {
  const own = OF_ONE.map((flag) => {
    const given = [values[flag] ?? []].flat().map(String);
    const isNamed = (value: string): boolean => names.some((one) => value.startsWith(`${one}=`));
    const mine = name === undefined ? undefined : given.findLast((value) => value.startsWith(`${name}=`));
    const value = mine?.slice(String(name).length + 1) ?? given.findLast((one) => !isNamed(one));
    return [flag, value] as const;
  });
  const { model: _, ...others } = values;
  return { ...others, ...Object.fromEntries(own) };
}
