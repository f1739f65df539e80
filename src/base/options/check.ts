/** Whether options are what they should be, in one kind of sentence: the name, what was received, what was expected. */
import { IsotorchError } from "../errors.ts";
import { isRecord } from "../files/json.ts";
import { excerpt, shownValue } from "../text/shown.ts";
import { didYouMean } from "./suggest.ts";

/** What a good value is, in words, and whether this is one. A `secret` is not repeated, however wrong it is. */
export type Check = readonly [expected: string, accepts: (value: unknown) => boolean, secret?: "secret"];
export type Checks<Options> = Readonly<Record<keyof Options, Check>>;

export const TEXT: Check = ["a non-empty string", (value) => typeof value === "string" && value !== ""];
export const FLAG: Check = ["true or false", (value) => typeof value === "boolean"];
export const FUNCTION: Check = ["a function", (value) => typeof value === "function"];
export const SIGNAL: Check = ["an AbortSignal", (value) => value instanceof AbortSignal];

/** A whole number, or a number of what is named, in a range. */
export const whole = (least: number, most: number = Infinity, what: string = "a whole number"): Check => [
  `${what} from ${least}${most === Infinity ? "" : ` to ${most}`}`,
  (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
];
export const WHOLE: Check = whole(0);
export const POSITIVE: Check = whole(1);
/** How long a close waits, milliseconds. */
export const DRAIN: Check = [
  "milliseconds from 0, or Infinity",
  (value) => typeof value === "number" && value >= 0,
];

export const oneOf = (...values: readonly string[]): Check => [
  `one of ${values.map((value) => `"${value}"`).join(", ")}`,
  (value) => values.includes(value as string),
];

/** A list of at least so many good values. */
export const listOf = ([, accepts]: Check, expected: string, least = 0): Check => [
  expected,
  (value) => Array.isArray(value) && value.length >= least && value.every(accepts),
];

/** A value that either check takes. */
export const either = ([first, takes]: Check, [second, accepts]: Check): Check => [
  `${first} or ${second}`,
  (value) => takes(value) || accepts(value),
];

export const flags = (...names: readonly string[]): Check => [
  `an object with ${names.join(", ")} set to true or false`,
  (value) =>
    isRecord(value) &&
    Object.entries(value).every(([name, on]) => names.includes(name) && typeof on === "boolean"),
];

export const numbers = (...names: readonly string[]): Check => [
  `an object with ${names.join(", ")} as whole numbers`,
  (value) => fits(value, Object.fromEntries(names.map((name) => [name, WHOLE]))),
];

/** Whether a value is an object of which each property is known and good, or undefined. */
export function fits(value: unknown, checks: Readonly<Record<string, Check>>): boolean {
  return (
    isRecord(value) &&
    Object.entries(value).every(
      ([name, given]) => given === undefined || (Object.hasOwn(checks, name) && checks[name]?.[1](given)),
    )
  );
}

/** @throws IsotorchError `INVALID_OPTION` for an unknown name, suggesting a known one, or a bad value. */
export function check(options: object, checks: Readonly<Record<string, Check>>): void {
  if (!isRecord(options)) {
    // What `map` hands to its function: the element, its index, the array.
    const hint = typeof options === "number" ? "Write `paths.map((path) => classify(path))`." : undefined;
    throw unexpected("Options are", options, "an object", hint);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const known = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (known === undefined) {
      throw invalid(`There is no option "${excerpt(name)}".`, didYouMean(name, Object.keys(checks)));
    }
    const [expected, accepts, secret] = known;
    if (accepts(value)) continue;
    if (secret) throw invalid(`Option "${name}" is not what it should be, expected ${expected}.`);
    throw unexpected(`Option "${name}" is`, value, expected);
  }
}

/** Options without those that are given as undefined, so that defaults can stand below them. */
export function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** The one sentence for a bad value: what it is the value of, the value, what was expected. */
export function unexpected(subject: string, value: unknown, expected: string, hint?: string): IsotorchError {
  // JSON has no NaN and no Infinity.
  const isNumber = typeof value === "number" || typeof value === "bigint";
  const received = isNumber ? String(value) : shownValue(value, 80);
  return invalid(`${subject} ${received}, expected ${expected}.`, hint);
}

export function invalid(message: string, hint?: string): IsotorchError {
  return new IsotorchError("INVALID_OPTION", message, hint === undefined ? {} : { hint });
}
