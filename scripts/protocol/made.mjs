// From the table of the protocol to what people and compilers read. No I/O.

const HEAD =
  "/** Made by `npm run protocol` from `python/isotorch_worker/protocol/messages.json`: do not edit. */\n";

/** The types of every message. */
export function typesFile({ kinds, dtypes, messages }) {
  const records = Object.entries(kinds).filter(([, kind]) => kind.record !== undefined);
  return [
    HEAD,
    'import type { IsotorchErrorCode } from "../base/codes.ts";\n',
    `export type Dtype = ${union(Object.keys(dtypes))};\n`,
    ...Object.entries(kinds)
      .filter(([, { oneOf }]) => Array.isArray(oneOf))
      .map(([name, { oneOf }]) => `export type ${typeName(name)} = ${union(oneOf)};`),
    "",
    ...records.map(
      ([name, { record }]) => `export interface ${recordName(name)} {\n${members(record, kinds)}}\n`,
    ),
    "export interface FieldsByType {",
    ...Object.entries(messages).map(([type, { fields }]) => {
      const named = Object.fromEntries(Object.entries(fields).map(([name, { kind }]) => [name, kind]));
      return `  ${type}: {\n${members(named, kinds)}  };`;
    }),
    "}\n",
    "export type MessageType = keyof FieldsByType;",
    "export type Fields<T extends MessageType> = FieldsByType[T];",
  ].join("\n");
}

const typeName = (name) => `${name[0].toUpperCase()}${name.slice(1)}`;
const recordName = (name) => `Wire${typeName(name)}`;
const union = (names) => names.map((name) => JSON.stringify(name)).join(" | ");
const members = (fields, kinds) =>
  Object.entries(fields)
    .map(([name, kind]) => `    readonly ${name}: ${typeOf(kind, kinds)};\n`)
    .join("");

function typeOf(name, kinds) {
  if (name.endsWith("?")) return `${typeOf(name.slice(0, -1), kinds)} | null`;
  const kind = kinds[name];
  if (kind.integer || kind.number) return "number";
  if (kind.bool) return "boolean";
  if (kind.text) return "string";
  if (kind.oneOf) return kind.oneOf === "codes" ? "IsotorchErrorCode" : typeName(name);
  if (kind.listOf) return `readonly (${typeOf(kind.listOf, kinds)})[]`;
  if (kind.pairOf) return `readonly [${typeOf(kind.pairOf, kinds)}, ${typeOf(kind.pairOf, kinds)}]`;
  if (kind.either) return kind.either.map((one) => typeOf(one, kinds)).join(" | ");
  if (kind.mapOf) return `Readonly<Record<string, ${typeOf(kind.mapOf, kinds)}>>`;
  return recordName(name);
}

/** The list of error codes. */
export function codesFile({ codes }) {
  return [
    HEAD,
    "/**",
    " * Every way in which isotorch can fail. The set is closed: new failures get a new code, and a code",
    " * keeps its meaning across versions.",
    " */",
    "export const ERROR_CODES = [",
    ...Object.entries(codes).flatMap(([about, names]) => [
      `  // ${about}`,
      ...names.map((name) => `  "${name}",`),
    ]),
    "] as const;",
    "export type IsotorchErrorCode = (typeof ERROR_CODES)[number];",
  ].join("\n");
}

/** The page with its tables made anew, each between `<!-- NAME -->` and `<!-- /NAME -->`. */
export function docsOf(table, page) {
  const tables = {
    messages: messagesTable(table),
    kinds: kindsTable(table),
    frames: framesTable(table),
    "exit statuses": statusesTable(table),
  };
  return Object.entries(tables).reduce((text, [name, made]) => {
    const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [start, end] = [text.indexOf(from), text.indexOf(to)];
    if (start < 0 || end < start) throw new Error(`docs/protocol.md has no place for its ${name}`);
    return `${text.slice(0, start + from.length)}\n\n${made}\n\n${text.slice(end)}`;
  }, page);
}

const code = (text) => `\`${text}\``;
const escaped = (text) => text.replaceAll("|", String.raw`\|`);

function rows(head, lines) {
  const line = (cells) => `| ${cells.map((cell) => escaped(cell)).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...lines.map((cells) => line(cells))].join("\n");
}

function messagesTable({ messages }) {
  const fieldText = ([name, { kind, says }]) => `${code(name)} ${kind}${says ? ` (${says})` : ""}`;
  const layoutText = (frames) => {
    if (frames === undefined) return "–";
    if (typeof frames === "string") return `the one that ${code(frames)} names`;
    return frames
      .map((names) => (names.length === 0 ? "none" : names.map((name) => code(name)).join(", ")))
      .join("; or ");
  };
  return rows(
    ["type", "from", "what", "further keys", "frames"],
    Object.entries(messages).map(([type, { from, says, isRequest, fields, frames }]) => [
      code(type),
      from,
      isRequest ? `${says}; is answered` : says,
      Object.entries(fields)
        .map((field) => fieldText(field))
        .join(", ") || "–",
      layoutText(frames),
    ]),
  );
}

function kindsTable({ kinds }) {
  const range = ([least, most]) =>
    least === null && most === null ? "" : most === null ? ` from ${least}` : ` from ${least} to ${most}`;
  const what = (kind) => {
    if (kind.integer) return `a whole number${range(kind.integer)}`;
    if (kind.number) return `a finite number${range(kind.number)}`;
    if (kind.bool) return "true or false";
    if (kind.text) {
      const { bytes, pattern } = kind.text;
      return `text of at most ${bytes} bytes of UTF-8${pattern ? `, all of it ${code(pattern)}` : ""}`;
    }
    if (kind.oneOf === "codes") return "an error code";
    if (kind.oneOf) return `one of ${kind.oneOf.map((choice) => code(choice)).join(", ")}`;
    if (kind.listOf) {
      const [least, most] = kind.items;
      const count = least === most ? `${least}` : `${least} to ${most}`;
      return `a list of ${count} × ${kind.listOf}${kind.distinct ? ", each once" : ""}`;
    }
    if (kind.pairOf) return `a list of 2 × ${kind.pairOf}`;
    if (kind.either) return kind.either.join(" or ");
    if (kind.mapOf) return `a map from name to ${kind.mapOf}`;
    return `a map with ${Object.entries(kind.record)
      .map(([name, inner]) => `${code(name)} ${inner}`)
      .join(", ")}`;
  };
  return rows(
    ["kind", "what"],
    Object.entries(kinds).map(([name, kind]) => [name, what(kind)]),
  );
}

function framesTable({ frames }) {
  return rows(
    ["frame", "dtype", "shape", "what"],
    Object.entries(frames).map(([name, { dtype, shape, says }]) => [
      code(name),
      code(dtype),
      `[${shape.join(", ")}]`,
      says ?? "–",
    ]),
  );
}

function statusesTable({ exitStatuses }) {
  return rows(
    ["status", "meaning"],
    Object.values(exitStatuses).map(({ status, says }) => [`${status}`, says]),
  );
}
