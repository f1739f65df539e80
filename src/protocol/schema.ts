/** Whether a message is one that the table has: twin of `isotorch_worker/protocol/schema.py`. */
import type { Dtype, MessageType } from "./messages.ts";
import { type Kind, TABLE } from "./table.ts";

const { kinds, dtypes, frames: FRAMES, messages, limits } = TABLE;
const CODES: readonly string[] = Object.values(TABLE.codes).flat();

/** Whether a field's value is of its kind. */
export function accepts(kind: string, value: unknown): boolean {
  if (kind.endsWith("?")) return value === null || accepts(kind.slice(0, -1), value);
  return CHECKS.get(kind)?.(value) ?? false;
}

/** Why these frames do not belong to this message; undefined where they do. */
export function frameFault(
  type: MessageType,
  fields: Readonly<Record<string, unknown>>,
  frames: readonly { readonly name: string; readonly dtype: Dtype; readonly shape: readonly number[] }[],
): string | undefined {
  const names = frames.map(({ name }) => name).join(" ");
  const layouts = messages[type].frames ?? [[]];
  const allowed = typeof layouts === "string" ? [fields[layouts]] : layouts.map((layout) => layout.join(" "));
  if (!allowed.includes(names)) return `${type} cannot have the frames "${names}"`;
  const sizes = new Map<string, number>();
  for (const { name, dtype, shape } of frames) {
    const wanted = FRAMES[name];
    if (wanted === undefined || dtype !== wanted.dtype || !fits(shape, wanted.shape, sizes))
      return `${name} is ${dtype} [${shape.join()}]`;
  }
  return undefined;
}

function fits(
  shape: readonly number[],
  dims: readonly (number | string)[],
  sizes: Map<string, number>,
): boolean {
  if (shape.length !== dims.length) return false;
  return dims.every((dim, index) => {
    const size = shape[index] ?? 0;
    if (dim === "*") return true;
    if (typeof dim === "number") return size === dim;
    const known = sizes.get(dim);
    sizes.set(dim, size);
    return known === undefined ? size >= 1 : size === known;
  });
}

/** Whether a value is a map; msgpack's other containers are lists. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isMessageType(value: unknown): value is MessageType {
  return typeof value === "string" && Object.hasOwn(messages, value);
}

export function isDtype(value: unknown): value is Dtype {
  return typeof value === "string" && Object.hasOwn(dtypes, value);
}

/** One to four sizes. */
export function isShape(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= limits.dimensions &&
    value.every((size) => accepts("count", size))
  );
}

type Check = (value: unknown) => boolean;

function checkOf(kind: Kind): Check {
  if ("integer" in kind) {
    const [least, most] = kind.integer;
    return (value) => Number.isSafeInteger(value) && isWithin(value, least, most);
  }
  if ("number" in kind) {
    const [least, most] = kind.number;
    return (value) => isWithin(value, least ?? -Number.MAX_VALUE, most ?? Number.MAX_VALUE);
  }
  if ("bool" in kind) return (value) => typeof value === "boolean";
  if ("text" in kind) return textCheck(kind.text);
  if ("oneOf" in kind) {
    const choices: readonly unknown[] = kind.oneOf === "codes" ? CODES : kind.oneOf;
    return (value) => choices.includes(value);
  }
  if ("listOf" in kind) {
    const [least, most] = kind.items;
    return (value) =>
      Array.isArray(value) &&
      isWithin(value.length, least, most) &&
      (kind.distinct !== true || new Set(value).size === value.length) &&
      value.every((item) => accepts(kind.listOf, item));
  }
  if ("pairOf" in kind) {
    return (value) =>
      Array.isArray(value) && value.length === 2 && value.every((item) => accepts(kind.pairOf, item));
  }
  if ("either" in kind) return (value) => kind.either.some((one) => accepts(one, value));
  if ("mapOf" in kind) {
    return (value) =>
      isMap(value) &&
      Object.entries(value).every(([key, item]) => accepts("name", key) && accepts(kind.mapOf, item));
  }
  const names = Object.keys(kind.record).toSorted().join();
  return (value) =>
    isMap(value) &&
    Object.keys(value).toSorted().join() === names &&
    Object.entries(kind.record).every(([key, inner]) => accepts(inner, value[key]));
}

function textCheck({ bytes, pattern }: { readonly bytes: number; readonly pattern?: string }): Check {
  const expression = pattern === undefined ? undefined : new RegExp(`^(?:${pattern})$`);
  return (value) =>
    typeof value === "string" &&
    Buffer.byteLength(value) <= bytes &&
    (expression === undefined || expression.test(value));
}

/** Whether it is a number in a range; NaN is in none. */
function isWithin(value: unknown, least: number, most: number): boolean {
  return typeof value === "number" && value >= least && value <= most;
}

const CHECKS: ReadonlyMap<string, Check> = new Map(
  Object.entries(kinds).map(([name, kind]) => [name, checkOf(kind)]),
);
