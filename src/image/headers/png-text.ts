import { inflateSync } from "node:zlib";

/** What compressed text and profiles may grow to, bytes: Pillow's own limit. */
const MAX_TEXT = 1 << 20;

/** What they may grow to together, bytes: Pillow's own limit. */
const MAX_ALL_TEXT = 1 << 26;

/** Keys whose text Pillow, or some version of it, looks through for an orientation. */
const CARRIERS = /^(?:raw profile|xml:com\.adobe|xmp|exif|app1)/i;

/** Keys of small letters that are no names of Pillow's own: it keeps text beside what it knows of the picture. */
const PLAIN = new Set([
  "mxfile",
  "parameters",
  "prompt",
  "workflow",
  "comment",
  "software",
  "title",
  "author",
  "description",
]);

/** Looks at the text and the profile in the chunks of a PNG. */
export class PngTexts {
  #bytes = 0;
  /** Whether some text could carry an orientation. */
  carries = false;

  /** @returns what is odd about the chunk; undefined when nothing is. */
  note(name: string, body: Buffer): string | undefined {
    const end = body.indexOf(0);
    if (end < 1 || end > 79) return `PNG with an odd ${name}`;
    const key = body.toString("latin1", 0, end);
    if (name !== "iCCP" && !PLAIN.has(key) && !/[A-Z: ]/.test(key)) return `PNG with a text called ${key}`;
    if (name !== "iCCP" && CARRIERS.test(key)) this.carries = true;
    const rest = name === "iTXt" ? afterLanguages(body, end + 1) : body.subarray(end + 1);
    if (!rest || (name === "iTXt" && body[end + 1]! > 1)) return `PNG with an odd ${name}`;
    const packed = name === "iTXt" ? body[end + 1] === 1 : name !== "tEXt";
    if (packed && body[name === "iTXt" ? end + 2 : end + 1] !== 0) return `PNG with an odd ${name}`;
    if (this.#bytes > MAX_ALL_TEXT) return tooMuch(name);
    const text = packed ? inflated(name === "iTXt" ? rest : rest.subarray(1)) : rest.length;
    if (typeof text === "string") return text === "too much" ? tooMuch(name) : `PNG with an odd ${name}`;
    this.#bytes += text;
    return this.#bytes > MAX_ALL_TEXT ? tooMuch(name) : undefined;
  }
}

/** What follows the two flags, the language and the translated key of an iTXt. */
function afterLanguages(body: Buffer, flags: number): Buffer | undefined {
  const language = body.indexOf(0, flags + 2);
  const key = language < 0 ? -1 : body.indexOf(0, language + 1);
  return key < 0 ? undefined : body.subarray(key + 1);
}

/** How many bytes it inflates to; what is the matter where it does not, or where anything follows it. */
function inflated(packed: Buffer): number | "too much" | "damaged" {
  try {
    const { buffer, engine } = inflateSync(packed, { maxOutputLength: MAX_TEXT, info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    return engine.bytesWritten === packed.length ? buffer.length : "damaged";
  } catch (cause) {
    return cause instanceof RangeError ? "too much" : "damaged";
  }
}

function tooMuch(name: string): string {
  return `PNG whose ${name} unpacks to more than Pillow takes`;
}
