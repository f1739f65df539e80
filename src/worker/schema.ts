/** What each message carries and what its values may be: the tables of docs/protocol.md, for `wire.ts` alone. */
import { ERROR_CODES } from "../errors.ts";

const MAX_INTEGER = 2 ** 32 - 1;
const MAX_TEXT_BYTES = 2000;

/** What a field's value is in TypeScript, by kind. A trailing `?` means "or null". */
interface FieldTypes {
  count: number;
  "count?": number | null;
  threads: number;
  topK: number;
  number: number;
  "number?": number | null;
  "fraction?": number | null;
  bool: boolean;
  text: string;
  "text?": string | null;
  path: string;
  hash: string;
  "hash?": string | null;
  handoff: string;
  exif: string;
  icc: string;
  mode: string;
  precision: string;
  phase: string;
  level: string;
  code: string;
  includes: readonly string[];
  texts: Readonly<Record<string, string>>;
  numbers: Readonly<Record<string, number>>;
  spec: WireSpec;
  "spec?": WireSpec | null;
}
type Kind = keyof FieldTypes;

/** Preprocessing that belongs to the weights, as torchvision gives it; sizes in pixels, colours on the 0..1 scale. */
export interface WireSpec {
  readonly resize: number;
  readonly crop: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly interpolation: "bilinear" | "bicubic";
}

/** Every message type with its fields, in the order in which they are written. */
export const FIELDS = {
  hello: {
    protocol: "count",
    package: "text",
    proof: "hash",
    pid: "count",
    python: "text",
    executable: "text",
  },
  load: {
    model: "text",
    checkpoint: "path",
    sha256: "hash?",
    trust: "bool",
    seed: "count?",
    transforms: "text",
    device: "text",
    precision: "precision",
    threads: "threads",
    maxBatch: "count",
  },
  progress: { phase: "phase", fraction: "fraction?" },
  ready: {
    versions: "texts",
    device: "text",
    deviceName: "text",
    deviceReason: "text",
    threads: "threads",
    threadsReason: "text",
    precision: "precision",
    sha256: "hash",
    spec: "spec",
    maxBatch: "count",
    warmupMs: "number",
  },
  infer: {
    handoff: "handoff",
    topK: "topK",
    include: "includes",
    maxPixels: "count",
    deadlineMs: "number?",
    following: "count",
  },
  decode: {
    exif: "exif",
    icc: "icc",
    mode: "mode",
    maxPixels: "count",
    spec: "spec?",
    picture: "bool",
    deadlineMs: "number?",
  },
  attest: { spec: "spec" },
  result: { timings: "numbers", batch: "count" },
  error: { code: "code", message: "text", hint: "text?" },
  cancel: {},
  ping: {},
  pong: { residentKiB: "count?" },
  stop: {},
  log: { level: "level", message: "text" },
} as const;

export type MessageType = keyof typeof FIELDS;
export type Fields<T extends MessageType> = {
  readonly [K in keyof (typeof FIELDS)[T]]: (typeof FIELDS)[T][K] extends Kind
    ? FieldTypes[(typeof FIELDS)[T][K]]
    : never;
};

export type Dtype = "<f4" | "<i8" | "|u1";
/** Bytes per element. */
export const ITEM_BYTES: Readonly<Record<Dtype, number>> = { "<f4": 4, "<i8": 8, "|u1": 1 };

/** A letter stands for one size from 1 throughout the message, `*` for any size. */
type Dims = readonly (number | string)[];

/** What each frame is, wherever it appears; `TYPE NAME` where one message type differs. */
const FRAMES: Readonly<Record<string, readonly [dtype: Dtype, dims: Dims]>> = {
  categories: ["|u1", ["*"]],
  models: ["|u1", ["*"]],
  tensor: ["<f4", ["N", 3, "H", "W"]],
  pixels: ["|u1", ["N", "H", "W", 3]],
  "result pixels": ["|u1", ["H", "W", 3]],
  cropped: ["|u1", ["h", "w", 3]],
  "result tensor": ["<f4", ["N", 3, "h", "w"]],
  attestation: ["|u1", ["*"]],
  encoded: ["|u1", ["*"]],
  indices: ["<i8", ["N", "k"]],
  scores: ["<f4", ["N", "k"]],
  percentages: ["<f4", ["N", "k"]],
  logits: ["<f4", ["N", 1000]],
  probabilities: ["<f4", ["N", 1000]],
  traceback: ["|u1", ["*"]],
};

/** The frames that a message may have, space-separated, in order; `infer` has the one that its handoff names. */
const LAYOUTS: Partial<Readonly<Record<MessageType, readonly string[]>>> = {
  ready: ["categories models attestation"],
  decode: ["encoded"],
  result: [
    "indices scores percentages",
    "indices scores percentages logits",
    "indices scores percentages probabilities",
    "indices scores percentages logits probabilities",
    "pixels",
    "cropped tensor",
    "pixels cropped tensor",
    "attestation",
  ],
  error: ["traceback", ""],
};

/** Whether a field's value is of its kind. */
export function accepts(kind: string, value: unknown): boolean {
  if (kind.endsWith("?")) return value === null || accepts(kind.slice(0, -1), value);
  return CHECKS[kind]?.(value) ?? false;
}

/** Why these frames do not belong to this message; undefined where they do. */
export function frameFault(
  type: MessageType,
  fields: Readonly<Record<string, unknown>>,
  frames: readonly { readonly name: string; readonly dtype: Dtype; readonly shape: readonly number[] }[],
): string | undefined {
  const names = frames.map(({ name }) => name).join(" ");
  const layouts = type === "infer" ? [fields["handoff"]] : (LAYOUTS[type] ?? [""]);
  if (!layouts.includes(names)) return `${type} cannot have the frames "${names}"`;
  const sizes = new Map<string, number>();
  for (const { name, dtype, shape } of frames) {
    const [wanted, dims] = FRAMES[`${type} ${name}`] ?? FRAMES[name] ?? ["|u1", ["*"]];
    if (dtype !== wanted || !fits(shape, dims, sizes)) return `${name} is ${dtype} [${shape.join()}]`;
  }
  return undefined;
}

function fits(shape: readonly number[], dims: Dims, sizes: Map<string, number>): boolean {
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

export function isDtype(value: unknown): value is Dtype {
  return typeof value === "string" && Object.hasOwn(ITEM_BYTES, value);
}

/** One to four sizes from 0 to 2^32 - 1. */
export function isShape(value: unknown): value is number[] {
  return (
    Array.isArray(value) && value.length >= 1 && value.length <= 4 && value.every((size) => isCount(size))
  );
}

/** A whole number from `least` to `most`. */
export function isCount(value: unknown, least: number = 0, most: number = MAX_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

const isText = (value: unknown, limit = MAX_TEXT_BYTES): value is string =>
  typeof value === "string" && Buffer.byteLength(value) <= limit;

const isAmount = (value: unknown, most = Number.MAX_VALUE): boolean =>
  typeof value === "number" && value >= 0 && value <= most;

const oneOf =
  (...choices: readonly string[]) =>
  (value: unknown): boolean =>
    choices.includes(value as string);

const mapOf =
  (inner: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    isMap(value) &&
    Object.entries(value).every(([key, item]) => /^[A-Za-z][\w.-]{0,31}$/.test(key) && inner(item));

const isTriple = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 3 && value.every((item) => Number.isFinite(item));

const isIncludes = (value: unknown): boolean =>
  Array.isArray(value) &&
  new Set(value).size === value.length &&
  value.every((item) => item === "logits" || item === "probabilities");

const isSpec = (value: unknown): boolean =>
  isMap(value) &&
  Object.keys(value).toSorted().join() === "crop,interpolation,mean,resize,std" &&
  isCount(value["resize"], 1) &&
  isCount(value["crop"], 1) &&
  isTriple(value["mean"]) &&
  isTriple(value["std"]) &&
  oneOf("bilinear", "bicubic")(value["interpolation"]);

const CHECKS: Readonly<Record<string, (value: unknown) => boolean>> = {
  count: (value) => isCount(value),
  threads: (value) => isCount(value, 0, 1024),
  topK: (value) => isCount(value, 0, 1000),
  number: (value) => isAmount(value),
  fraction: (value) => isAmount(value, 1),
  bool: (value) => typeof value === "boolean",
  text: (value) => isText(value),
  path: (value) => isText(value, 4096),
  hash: (value) => typeof value === "string" && /^[0-9a-f]{8,64}$/.test(value),
  handoff: oneOf("tensor", "pixels", "encoded"),
  exif: oneOf("ignore", "apply"),
  icc: oneOf("ignore", "to-srgb"),
  mode: oneOf("convert-rgb", "strict"),
  precision: oneOf("exact", "fused", "bf16", "fp16"),
  phase: oneOf("import", "make", "verify", "build", "load", "warm-up"),
  level: oneOf("debug", "info", "warning", "error"),
  code: oneOf(...ERROR_CODES),
  includes: isIncludes,
  texts: mapOf((value) => isText(value)),
  numbers: mapOf((value) => isAmount(value)),
  spec: isSpec,
};
