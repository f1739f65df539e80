import type { Readable } from "node:stream";

const NEWLINE = 0x0a;

/** Reads lines and runs of bytes from a stream, in turn. `undefined` where the stream ends first. One read at a time. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  /** The bytes before the next newline. */
  async line(): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (;;) {
      const end = this.#rest.indexOf(NEWLINE);
      if (end >= 0) {
        parts.push(this.#rest.subarray(0, end));
        this.#rest = this.#rest.subarray(end + 1);
        return Buffer.concat(parts);
      }
      parts.push(this.#rest);
      if (!(await this.#next())) return undefined;
    }
  }

  /** Exactly `count` bytes, in memory of their own. */
  async bytes(count: number): Promise<Uint8Array | undefined> {
    const out = new Uint8Array(count);
    let filled = 0;
    for (;;) {
      const taken = this.#rest.subarray(0, count - filled);
      out.set(taken, filled);
      filled += taken.length;
      this.#rest = this.#rest.subarray(taken.length);
      if (filled === count) return out;
      if (!(await this.#next())) return undefined;
    }
  }

  async #next(): Promise<boolean> {
    try {
      const { value, done } = await this.#chunks.next();
      if (done === true) return false;
      this.#rest = value;
      return true;
    } catch {
      return false; // the pipe broke: its process is gone
    }
  }
}
