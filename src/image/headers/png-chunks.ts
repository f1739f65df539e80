import { crc32 } from "node:zlib";

/** One chunk of a PNG file. */
export interface PngChunk {
  readonly name: string;
  /** Where the chunk starts, at its length. */
  readonly offset: number;
  readonly body: Buffer;
  /** Whether the checksum is right. */
  readonly sound: boolean;
}

/** The chunks of a PNG file, up to `IEND` or to where the file is cut off. */
export function* pngChunks(bytes: Uint8Array): Generator<PngChunk> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 8;
  while (at + 12 <= view.length) {
    const length = view.readUInt32BE(at);
    const end = at + 8 + length;
    if (end + 4 > view.length) return;
    const name = view.toString("latin1", at + 4, at + 8);
    const sound = crc32(view.subarray(at + 4, end)) === view.readUInt32BE(end);
    yield { name, offset: at, body: view.subarray(at + 8, end), sound };
    if (name === "IEND") return;
    at = end + 4;
  }
}

/** `start`: before PLTE and IDAT. `middle`: before IDAT. `tables`: after PLTE where there is one, before IDAT. */
type Place = "start" | "middle" | "tables" | "anywhere";

interface Rule {
  readonly place: Place;
  /** Bytes of the body; undefined for any number. */
  readonly length?: number;
  readonly many?: boolean;
}

/** The chunks that may stand in a file of a known kind, but for IHDR, PLTE, IDAT and IEND. */
const RULES: Readonly<Record<string, Rule>> = {
  gAMA: { place: "start", length: 4 },
  cHRM: { place: "start", length: 32 },
  sRGB: { place: "start", length: 1 },
  sBIT: { place: "start" },
  iCCP: { place: "start" },
  cICP: { place: "start", length: 4 },
  mDCV: { place: "start", length: 24 },
  cLLI: { place: "start", length: 8 },
  tRNS: { place: "tables" },
  bKGD: { place: "tables" },
  hIST: { place: "tables" },
  pHYs: { place: "middle", length: 9 },
  sPLT: { place: "middle", many: true },
  oFFs: { place: "middle", length: 9 },
  sTER: { place: "middle", length: 1 },
  eXIf: { place: "anywhere" },
  tIME: { place: "anywhere", length: 7 },
  tEXt: { place: "anywhere", many: true },
  zTXt: { place: "anywhere", many: true },
  iTXt: { place: "anywhere", many: true },
  // Private ones of Apple and ImageMagick, which no reader looks at.
  iDOT: { place: "anywhere", length: 28 },
  vpAg: { place: "anywhere", length: 9 },
  caNv: { place: "anywhere", length: 16 },
  orNT: { place: "anywhere", length: 1 },
};

/** Looks at the order of the chunks of a PNG. */
export class ChunkOrder {
  readonly #seen = new Set<string>();
  #last = "";

  has(name: string): boolean {
    return this.#seen.has(name);
  }

  /** @returns what is odd about the chunk where it stands; undefined when nothing is. */
  note({ name, body, sound }: PngChunk): string | undefined {
    const odd = sound ? this.#odd(name, body) : `PNG with a wrong checksum in ${name}`;
    this.#seen.add(name);
    this.#last = name;
    return odd;
  }

  #odd(name: string, body: Buffer): string | undefined {
    const again = this.has(name);
    if ((name === "IHDR") !== (this.#last === "")) return "PNG that does not start with IHDR";
    if (name === "IHDR") return undefined;
    if (name === "IEND") return body.length === 0 ? undefined : "PNG with an odd IEND";
    if (name === "IDAT") return again && this.#last !== "IDAT" ? "PNG with its data in parts" : undefined;
    if (name === "PLTE") return again || this.has("IDAT") ? "PNG with a PLTE out of place" : undefined;
    if (["acTL", "fcTL", "fdAT"].includes(name)) return "animated PNG";
    const rule = RULES[name];
    if (!rule) return "PNG with an unknown chunk";
    if (rule.length !== undefined && body.length !== rule.length) return `PNG with an odd ${name}`;
    return (again && rule.many !== true) || !this.#isPlace(rule.place)
      ? `PNG with a ${name} out of place`
      : undefined;
  }

  #isPlace(place: Place): boolean {
    if (place === "anywhere") return true;
    if (this.has("IDAT")) return false;
    if (place === "start") return !this.has("PLTE");
    return true;
  }
}
