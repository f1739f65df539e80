/** Whether options are what they should be, in one kind of sentence: the name, what was expected, what was received. */
import { excerpt, shownValue } from "./text/shown.ts";
import { IsotorchError } from "./errors.ts";
import { nearest } from "./suggest.ts";

/** What a good value is, in words, and whether this is one. */
export type Check = readonly [expected: string, accepts: (value: unknown) => boolean];

export const TEXT: Check = ["a non-empty string", (value) => typeof value === "string" && value !== ""];
export const FLAG: Check = ["true or false", (value) => typeof value === "boolean"];
export const FUNCTION: Check = ["a function", (value) => typeof value === "function"];
export const SIGNAL: Check = ["an AbortSignal", (value) => value instanceof AbortSignal];
export const WHOLE: Check = [
  "a whole number from 0",
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
];

export const POSITIVE: Check = [
  "a whole number from 1",
  (value) => Number.isSafeInteger(value) && (value as number) >= 1,
];
/** How long a close waits, milliseconds. */
export const DRAIN: Check = [
  "milliseconds from 0, or Infinity",
  (value) => typeof value === "number" && value >= 0,
];

export const oneOf = (...values: readonly string[]): Check => [
  `one of ${values.map((value) => `"${value}"`).join(", ")}`,
  (value) => values.includes(value as string),
];

export const flags = (...names: readonly string[]): Check => [
  `an object with ${names.join(", ")} set to true or false`,
  (value) =>
    isObject(value) &&
    Object.entries(value).every(([name, on]) => names.includes(name) && typeof on === "boolean"),
];

export const numbers = (...names: readonly string[]): Check => [
  `an object with ${names.join(", ")} as whole numbers`,
  (value) =>
    isObject(value) &&
    Object.entries(value).every(
      ([name, number]) => names.includes(name) && (number === undefined || WHOLE[1](number)),
    ),
];

/** @throws IsotorchError `INVALID_OPTION` for an unknown name, naming the nearest known one, or a bad value. */
export function check(options: object, checks: Readonly<Record<string, Check>>): void {
  if (!isObject(options)) {
    // What `map` hands to its function: the element, its index, the array.
    const hint = typeof options === "number" ? "Write `paths.map((path) => classify(path))`." : undefined;
    throw invalid(`Options are ${show(options)}, expected an object.`, hint);
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const known = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (known === undefined) {
      const meant = nearest(name, Object.keys(checks));
      throw invalid(
        `There is no option "${excerpt(name)}".`,
        meant === undefined ? undefined : `Did you mean "${meant}"?`,
      );
    }
    const [expected, accepts] = known;
    // The address of a server may come with a token.
    const received = name === "remote" ? "not what it should be" : show(value);
    if (!accepts(value)) throw invalid(`Option "${name}" is ${received}, expected ${expected}.`);
  }
}

export function invalid(message: string, hint?: string): IsotorchError {
  return new IsotorchError("INVALID_OPTION", message, hint === undefined ? {} : { hint });
}

function show(value: unknown): string {
  // JSON has no NaN and no Infinity.
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return shownValue(value, 80);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
