/** Messages made from the protocol's own table: sound ones, and ones with something about them that is not. */
import { Packr } from "msgpackr";
import type { FrameEntry, Kind, MessageEntry } from "../../src/protocol/table.ts";
import { TABLE } from "../../src/protocol/table.ts";
import type { Random } from "../image/random.ts";

const packr = new Packr({ useRecords: false, variableMapSize: true });
/** As many bytes as a float of msgpack has: a writer in JavaScript packs whole numbers as integers, others do not. */
const FLOAT = "@float@@";
const MESSAGES: Readonly<Record<string, MessageEntry>> = TABLE.messages;

const ODD_NUMBERS: readonly unknown[] = [
  ...[0, -0, 1, -1, 0.5, -0.5, 7, 1000, 1001, 1024, 1025, 2 ** 31, 2 ** 32 - 1, 2 ** 32].map(Number),
  ...[2 ** 53 - 1, 2 ** 53, 2 ** 63, -(2 ** 31), -(2 ** 40), 1e300, NaN, Infinity, -Infinity].map(Number),
];
const ODD_TEXTS: readonly unknown[] = "|a|nearest|bilinear|tensor|logits|__proto__|constructor|é|\n"
  .split("|")
  .concat([1000, 1001, 2000, 2001].map((length) => "x".repeat(length)))
  .concat([8, 63, 64].map((length) => "0".repeat(length)))
  .concat("A".repeat(64), `${"0".repeat(64)}\n`);
const ODD_LISTS: readonly unknown[] = [
  [],
  [1],
  [0.5, 0.5, 0.5],
  [224, 224],
  [0, 224],
  [224, 2049],
  [224.5, 224],
  [224, 224, 224],
  [[224, 224]],
  [1, 2, 3, 4],
  ["logits"],
  ["logits", "logits"],
  [[[[1]]]],
  Array.from({ length: 257 }, () => 1),
];
const ODD_MAPS: readonly unknown[] = [
  {},
  { a: 1 },
  { a: "b" },
  { "1a": 1 },
  { ["x".repeat(33)]: 1 },
  { a: { b: { c: { d: 1 } } } },
  ...[64, 65].map((size) => Object.fromEntries(Array.from({ length: size }, (_, n) => [`k${n}`, n]))),
];
/** Values that stand where they do not belong, or just beyond what is allowed. */
const ODD: readonly unknown[] = [
  ...[ODD_NUMBERS, ODD_TEXTS, ODD_LISTS, ODD_MAPS].flat(),
  null,
  true,
  2n ** 63n,
  Buffer.from("raw"),
];

/** One message: its frames. */
export function madeMessage(random: Random): Uint8Array[] {
  const pick = <T>(items: readonly T[]): T => items[random.integer(0, items.length - 1)] as T;
  const isOdd = (oneIn: number): boolean => random.integer(1, oneIn) === 1;
  const type = pick(Object.keys(MESSAGES));
  const entry = MESSAGES[type]!;
  const fields = Object.fromEntries(
    Object.entries(entry.fields).map(([name, { kind }]) => [name, sound(kind, random)]),
  );
  const layout = layoutOf(entry, fields, random);
  const sizes = new Map<string, number>();
  const frames = layout.map((name) => madeFrame(name, TABLE.frames[name], sizes, random));
  const described: unknown[] = frames.map((frame) => frame.described);
  const map: Record<string, unknown> = { type, ...fields, ...(frames.length > 0 && { frames: described }) };
  const payloads = frames.map(({ data }) => data);
  if (isOdd(2)) spoil(map, described, payloads, random);
  const packed = withFloats(packr.pack(map), random);
  const address = Buffer.from([0x69, 0x73, 0x6f, 2, 0, 0, 0, 1, 0, 0, 0, 7]);
  const header = Buffer.concat([address, packed]);
  if (isOdd(6)) return [damaged(header, random), ...payloads];
  return [header, ...payloads];
}

/** The bytes with a float, mostly one without a fraction, in each place that is kept for one. */
function withFloats(bytes: Buffer, random: Random): Buffer {
  for (let at = bytes.indexOf(FLOAT); at > 0; at = bytes.indexOf(FLOAT)) {
    bytes.writeUInt8(0xcb, at - 1);
    bytes.writeDoubleBE([0, 1, 3, 224, 2 ** 40, 0.5, -0][random.integer(0, 6)]!, at);
  }
  return bytes;
}

function sound(kind: string, random: Random): unknown {
  if (kind.endsWith("?")) return random.integer(0, 2) === 0 ? null : sound(kind.slice(0, -1), random);
  const of: Kind = TABLE.kinds[kind]!;
  if ("integer" in of) {
    const [least, most] = of.integer;
    return [least, most, Math.min(most, least + random.integer(0, 900))][random.integer(0, 2)];
  }
  if ("number" in of) return [0, 0.5, 1, 0.123][random.integer(0, 3)];
  if ("bool" in of) return random.integer(0, 1) === 1;
  if ("text" in of) {
    const { bytes, pattern } = of.text;
    if (pattern === undefined) return "x".repeat(random.integer(0, Math.min(bytes, 300)));
    return pattern.startsWith("[0-9a-f]") ? "0".repeat(random.integer(0, 1) === 0 ? 64 : bytes) : "name";
  }
  if ("oneOf" in of) {
    const choices = of.oneOf === "codes" ? Object.values(TABLE.codes).flat() : of.oneOf;
    return choices[random.integer(0, choices.length - 1)];
  }
  if ("listOf" in of) {
    const [least, most] = of.items;
    const { listOf } = of;
    if (of.distinct !== true)
      return Array.from({ length: random.integer(least, most) }, () => sound(listOf, random));
    return [[], ["logits"], ["probabilities"], ["logits", "probabilities"]][random.integer(0, 3)];
  }
  if ("pairOf" in of) return [sound(of.pairOf, random), sound(of.pairOf, random)];
  if ("either" in of) return sound(of.either[random.integer(0, 1)]!, random);
  if ("mapOf" in of) return { total: sound(of.mapOf, random), "a.b-c": sound(of.mapOf, random) };
  return Object.fromEntries(Object.entries(of.record).map(([name, inner]) => [name, sound(inner, random)]));
}

function layoutOf(
  { frames = [[]] }: MessageEntry,
  fields: Readonly<Record<string, unknown>>,
  random: Random,
): readonly string[] {
  if (typeof frames === "string") return [String(fields[frames])];
  return frames[random.integer(0, frames.length - 1)]!;
}

function madeFrame(
  name: string,
  entry: FrameEntry | undefined,
  sizes: Map<string, number>,
  random: Random,
): { described: unknown; data: Uint8Array } {
  const { dtype, shape: dims } = entry ?? { dtype: "|u1" as const, shape: ["*"] };
  const shape = dims.map((dim) => {
    if (typeof dim === "number") return dim;
    if (dim === "*") return random.integer(0, 3);
    const size = sizes.get(dim) ?? random.integer(1, 2);
    sizes.set(dim, size);
    return size;
  });
  const bytes = shape.reduce((product, size) => product * size, TABLE.dtypes[dtype]);
  return { described: { name, dtype, shape }, data: new Uint8Array(bytes) };
}

/** Changes one thing: a value, a key, a frame. */
function spoil(
  map: Record<string, unknown>,
  described: unknown[],
  payloads: Uint8Array[],
  random: Random,
): void {
  const odd = ODD[random.integer(0, ODD.length - 1)];
  const keys = Object.keys(map);
  const key = keys[random.integer(0, keys.length - 1)]!;
  switch (random.integer(0, 9)) {
    case 8:
      map[key] = typeof map[key] === "number" ? FLOAT : odd;
      return;
    case 9: {
      const [first] = described as [{ shape: unknown[] }?];
      if (first !== undefined) first.shape[0] = FLOAT;
      return;
    }
    case 0:
    case 1:
    case 2:
      map[key] = odd;
      return;
    case 3:
      delete map[key];
      return;
    case 4:
      map["extra"] = odd;
      return;
    case 5: {
      const value = map[key];
      if (typeof value === "object" && value !== null && !Array.isArray(value))
        Object.assign(value, { [Object.keys(value)[random.integer(0, 4)] ?? "a"]: odd });
      else if (Array.isArray(value)) value[random.integer(0, value.length)] = odd;
      return;
    }
    case 6:
      if (described.length > 0) described[random.integer(0, described.length - 1)] = odd;
      return;
    default:
      if (random.integer(0, 1) === 0) payloads.push(new Uint8Array(random.integer(0, 9)));
      else payloads.pop();
  }
}

/** Some bytes of a header are others, more, or fewer. */
function damaged(header: Uint8Array, random: Random): Uint8Array {
  const at = random.integer(0, header.length - 1);
  const some = Uint8Array.from({ length: random.integer(1, 4) }, () => random.integer(0, 255));
  switch (random.integer(0, 3)) {
    case 0:
      return Uint8Array.from(header, (byte, index) => (index === at ? (some[0] ?? 0) : byte));
    case 1:
      return header.subarray(0, at);
    case 2:
      return Buffer.concat([header.subarray(0, at), some, header.subarray(at)]);
    default:
      return Buffer.concat([header.subarray(0, at), header.subarray(at + some.length)]);
  }
}
