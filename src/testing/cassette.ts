/** Recorded answers: a JSON file that a real classifier wrote once and a fake one reads. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { IsotorchError, messageOf } from "../base/errors.ts";
import type { Classification, DetailedResult, Embedding } from "../classification/classifier.ts";
import type { LoadedImage } from "../image/source/source.ts";
import type { ResolvedClassifyOptions } from "../classification/options.ts";
import { writeWhole } from "../base/files/files.ts";
import { isRecord, parseJson } from "../base/files/json.ts";

/** What a cassette file holds. */
export interface Cassette {
  readonly version: 1;
  readonly entries: readonly CassetteEntry[];
}

/** The answer to one picture. */
export interface CassetteEntry {
  /** Of the picture file's bytes; of `pixels WIDTHxHEIGHT` or `tensor SHAPE`, a newline and the values for the others. */
  readonly sha256: string;
  /** How the picture was read, where that was not the default: it changes the answer. */
  readonly read?: { readonly exif?: "apply"; readonly icc?: "to-srgb"; readonly mode?: "strict" };
  /** What made the scores of the logits, where that was not softmax. */
  readonly activation?: "sigmoid";
  /** Of the network, where they are not 1,000. */
  readonly classes?: number;
  /** Best first; as many as were asked for, or all. */
  readonly top: readonly Classification[];
  /** float32, little-endian, in base64; where they were asked for. */
  readonly logits?: string;
  readonly probabilities?: string;
  readonly embedding?: string;
}

/** What tells the answers to one picture apart. */
type Place = Pick<CassetteEntry, "sha256" | "read" | "activation">;

const ARRAYS = ["logits", "probabilities", "embedding"] as const;
const IMAGENET = 1_000;

const HOW_TO_RECORD =
  "Record it once with a real classifier: `recordCassette(await createClassifier(), file)`, then classify the picture.";

/** What tells one recorded answer from another. */
export function keyOf({ sha256, read, activation }: Place): string {
  return [sha256, read?.exif, read?.icc, read?.mode, activation].join(" ");
}

/** The place of a picture's answer in a cassette. */
export function placeOf(image: LoadedImage, call: ResolvedClassifyOptions): Place {
  const { activation } = call;
  const place = { sha256: digestOf(image), ...(activation !== "softmax" && { activation }) };
  if (image.kind !== "encoded") return place;
  const read = {
    ...(call.exif === "apply" && { exif: call.exif }),
    ...(call.icc === "to-srgb" && { icc: call.icc }),
    ...(call.mode === "strict" && { mode: call.mode }),
  };
  return { ...place, ...(Object.keys(read).length > 0 && { read }) };
}

function digestOf(image: LoadedImage): string {
  const hash = createHash("sha256");
  switch (image.kind) {
    case "encoded":
      return hash.update(image.bytes).digest("hex");
    case "pixels": {
      const { data, width, height } = image.pixels;
      return hash.update(`pixels ${width}x${height}\n`).update(data).digest("hex");
    }
    case "tensor": {
      const { data, shape } = image.tensor;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      return hash
        .update(`tensor ${shape.join("x")}\n`)
        .update(bytes)
        .digest("hex");
    }
  }
}

/** An answer as an entry; what an older entry of the same picture has beyond it is kept. @param classes of the network. */
export function entryOf(
  place: Place,
  { top, logits, probabilities, embedding }: DetailedResult,
  older: CassetteEntry | undefined,
  classes: number,
): CassetteEntry {
  const kept = {
    logits: logits === undefined ? older?.logits : toBase64(logits),
    probabilities: probabilities === undefined ? older?.probabilities : toBase64(probabilities),
    embedding: embedding === undefined ? older?.embedding : toBase64(embedding.data),
  };
  return {
    ...place,
    ...(classes !== IMAGENET && { classes }),
    top: older !== undefined && older.top.length > top.length ? older.top : top,
    ...(kept.logits !== undefined && { logits: kept.logits }),
    ...(kept.probabilities !== undefined && { probabilities: kept.probabilities }),
    ...(kept.embedding !== undefined && { embedding: kept.embedding }),
  };
}

/**
 * The recorded answer to a call.
 *
 * @param classes of the network.
 * @throws IsotorchError `INVALID_INPUT` where nothing, or less than the call asks for, was recorded.
 */
export function replay(
  entries: ReadonlyMap<string, CassetteEntry>,
  image: LoadedImage,
  call: ResolvedClassifyOptions,
  classes: number,
): DetailedResult {
  const place = placeOf(image, call);
  const entry = entries.get(keyOf(place));
  if (entry === undefined) {
    const { sha256: _, read, ...others } = place;
    const asked = { ...read, ...others };
    const how = Object.keys(asked).length === 0 ? "" : ` read with ${JSON.stringify(asked)}`;
    throw notRecorded(`The picture with the SHA-256 ${place.sha256}${how} is not in the cassette.`);
  }
  const { top, logits, probabilities, embedding } = entry;
  const wanted = call.topK === 0 ? classes : Math.min(call.topK, classes);
  if (top.length < wanted) {
    throw notRecorded(`The cassette has ${top.length} classes of this picture, ${wanted} were asked for.`);
  }
  for (const name of ARRAYS) {
    if (call.include[name] === true && entry[name] === undefined)
      throw notRecorded(`The cassette has no ${name} of this picture.`);
  }
  return {
    top,
    ...(logits !== undefined && { logits: fromBase64(logits) }),
    ...(probabilities !== undefined && { probabilities: fromBase64(probabilities) }),
    ...(embedding !== undefined && { embedding: embeddingOf(fromBase64(embedding)) }),
  };
}

function embeddingOf(data: Float32Array): Embedding {
  return { data, shape: [data.length] };
}

/** Classes of the network that was recorded; undefined where nothing was. */
export function classesIn(entries: ReadonlyMap<string, CassetteEntry> | undefined): number | undefined {
  const [entry] = entries?.values() ?? [];
  return entry === undefined ? undefined : (entry.classes ?? IMAGENET);
}

/** Values of the embeddings that were recorded; 0 where none was. */
export function embeddingIn(entries: ReadonlyMap<string, CassetteEntry> | undefined): number {
  const recorded = [...(entries?.values() ?? [])].find(({ embedding }) => embedding !== undefined);
  return recorded?.embedding === undefined ? 0 : fromBase64(recorded.embedding).length;
}

function notRecorded(message: string): IsotorchError {
  return new IsotorchError("INVALID_INPUT", message, { hint: HOW_TO_RECORD });
}

/** The entries of a cassette by their keys. @throws IsotorchError `INVALID_OPTION` for what is no cassette. */
export function entriesOf(value: unknown, name: string): Map<string, CassetteEntry> {
  const fault = faultOf(value);
  if (fault !== undefined) {
    throw new IsotorchError("INVALID_OPTION", `${name} is no cassette: ${fault}.`, {
      hint: "A cassette is what `recordCassette` writes.",
    });
  }
  return new Map((value as Cassette).entries.map((entry) => [keyOf(entry), entry]));
}

/**
 * Reads a cassette file.
 *
 * @throws IsotorchError `INPUT_NOT_FOUND` where there is none, `INPUT_UNREADABLE`, `INVALID_OPTION` for what is no cassette.
 */
export async function readCassette(file: string | URL): Promise<Map<string, CassetteEntry>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const missing = isRecord(cause) && cause["code"] === "ENOENT";
    throw new IsotorchError(
      missing ? "INPUT_NOT_FOUND" : "INPUT_UNREADABLE",
      missing
        ? `There is no cassette ${String(file)}.`
        : `${String(file)} cannot be read: ${messageOf(cause)}.`,
      { hint: HOW_TO_RECORD, cause },
    );
  }
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    // What is not JSON is no cassette either.
  }
  return entriesOf(value, String(file));
}

/** Writes a cassette whole or not at all, ordered so that recording again changes no line without need. */
export async function writeCassette(
  file: string | URL,
  entries: ReadonlyMap<string, CassetteEntry>,
): Promise<void> {
  const lines = [...entries]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, entry]) => JSON.stringify(entry));
  const text = `{ "version": 1, "entries": [\n${lines.join(",\n")}\n] }\n`;
  try {
    await writeWhole(typeof file === "string" ? file : fileURLToPath(file), text);
  } catch (cause) {
    throw new IsotorchError(
      "INPUT_UNREADABLE",
      `The cassette ${String(file)} cannot be written: ${messageOf(cause)}.`,
      { hint: "Check that its directory exists and may be written.", cause },
    );
  }
}

function faultOf(value: unknown): string | undefined {
  if (!isRecord(value)) return "it is not a JSON object";
  if (value["version"] !== 1) return `its version is ${JSON.stringify(value["version"])}, expected 1`;
  if (!Array.isArray(value["entries"])) return "it has no list of entries";
  const bad = value["entries"].findIndex((entry) => !isEntry(entry));
  return bad === -1 ? undefined : `its entry ${bad} has a wrong form`;
}

function isEntry(entry: unknown): boolean {
  if (!isRecord(entry)) return false;
  const { sha256, read, activation, classes, top } = entry;
  return (
    typeof sha256 === "string" &&
    /^[0-9a-f]{64}$/.test(sha256) &&
    (read === undefined || isRecord(read)) &&
    (activation === undefined || activation === "sigmoid") &&
    (classes === undefined || (Number.isSafeInteger(classes) && Number(classes) > 0)) &&
    Array.isArray(top) &&
    top.every(isClassification) &&
    ARRAYS.every((name) => entry[name] === undefined || typeof entry[name] === "string")
  );
}

function isClassification(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { label, index, score, percent } = value;
  return typeof label === "string" && [index, score, percent].every((number) => typeof number === "number");
}

function toBase64({ buffer, byteOffset, byteLength }: Float32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

function fromBase64(text: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(text, "base64"));
  return new Float32Array(bytes.buffer, 0, Math.floor(bytes.byteLength / 4));
}
