import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { PYTHON } from "../python.ts";
import type { Interpolation, InputSpec, Pixels, Size } from "../../src/image/resample/geometry.ts";

const SCRIPT = fileURLToPath(new URL("../../python/pillow_oracle.py", import.meta.url));

interface Reply {
  readonly bytes: number;
  readonly error?: string;
  readonly width?: number;
  readonly height?: number;
  readonly mode?: string;
  readonly offsets?: readonly number[];
  readonly longs?: readonly number[];
  /** Bytes of each blob of the payload. */
  readonly lengths?: Readonly<Record<keyof OracleStages, number>>;
}

/** `Image.open(file).convert("RGB")`, or what Pillow said instead. */
export type Verdict = { readonly pixels: Pixels; readonly mode: string } | { readonly error: string };

/** torchvision's own transforms, step by step. */
export interface OracleStages {
  readonly resized: Uint8Array;
  readonly cropped: Uint8Array;
  readonly toTensor: Uint8Array;
  readonly normalized: Uint8Array;
}

/** One Python process that answers what Pillow and torchvision would: `python/pillow_oracle.py`. */
export class Oracle implements AsyncDisposable {
  readonly #child: ChildProcess;
  #chunks: Buffer[] = [];
  #held = 0;
  #wake: () => void = () => {};
  #ended = false;

  constructor() {
    this.#child = spawn(PYTHON, ["-u", SCRIPT], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout!.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#held += chunk.length;
      this.#wake();
    });
    this.#child.on("close", () => {
      this.#ended = true;
      this.#wake();
    });
    this.#child.on("error", () => this.#wake());
  }

  /** What Pillow makes of a file. */
  async decode(bytes: Uint8Array, exif: "ignore" | "apply" = "ignore"): Promise<Verdict> {
    const { reply, payload } = await this.#ask({ op: "decode", exif }, bytes);
    if (reply.error !== undefined) return { error: reply.error };
    return { pixels: pixelsOf(reply, payload), mode: reply.mode ?? "" };
  }

  /** `Image.resize`, then `Image.crop` to (left, top, right, bottom) where a box is given. */
  async resize(
    pixels: Pixels,
    size: Size,
    interpolation: Interpolation,
    box?: readonly number[],
  ): Promise<Pixels> {
    const { width, height, data } = pixels;
    const request = { op: "resize", width, height, size: [size.width, size.height], interpolation, box };
    const { reply, payload } = await this.#ask(request, data);
    if (reply.error !== undefined) throw new Error(reply.error);
    return pixelsOf(reply, payload);
  }

  /** Python's crop offsets of sizes, and its longer sides for pairs of a shorter and a longer side. */
  async geometry(request: {
    readonly crop?: number;
    readonly sizes?: readonly number[];
    readonly resize?: number;
    readonly pairs?: readonly (readonly [number, number])[];
  }): Promise<{ offsets: unknown; longs: unknown }> {
    const { reply } = await this.#ask({ op: "geometry", ...request }, new Uint8Array());
    return { offsets: reply.offsets, longs: reply.longs };
  }

  /** torchvision's transforms of a file's bytes or of pixels. */
  async stages(picture: Uint8Array | Pixels, spec: InputSpec): Promise<OracleStages> {
    const isFile = picture instanceof Uint8Array;
    const size = isFile ? {} : { width: picture.width, height: picture.height };
    const request = { op: "stages", spec, ...size };
    const { reply, payload } = await this.#ask(request, isFile ? picture : picture.data);
    if (reply.error !== undefined) throw new Error(reply.error);
    let at = 0;
    const next = (name: keyof OracleStages): Uint8Array =>
      payload.subarray(at, (at += reply.lengths?.[name] ?? 0));
    return {
      resized: next("resized"),
      cropped: next("cropped"),
      toTensor: next("toTensor"),
      normalized: next("normalized"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end();
    if (!this.#ended) await once(this.#child, "close");
  }

  async #ask(request: object, payload: Uint8Array): Promise<{ reply: Reply; payload: Uint8Array }> {
    this.#child.stdin!.write(`${JSON.stringify({ ...request, bytes: payload.length })}\n`);
    this.#child.stdin!.write(payload);
    while (!this.#chunks.some((chunk) => chunk.includes(10))) await this.#more();
    const held = Buffer.concat(this.#chunks);
    const line = held.indexOf(10);
    const reply: Reply = JSON.parse(held.toString("utf8", 0, line));
    const end = line + 1 + reply.bytes;
    while (this.#held < end) await this.#more();
    const body = Buffer.concat(this.#chunks).subarray(line + 1, end);
    this.#chunks = [];
    this.#held = 0;
    return { reply, payload: body };
  }

  /** Waits for output. Requests are asked one after the other, so nothing follows a reply. */
  #more(): Promise<void> {
    if (this.#ended) throw new Error(`the oracle ended: does ${PYTHON} have Pillow?`);
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function pixelsOf(reply: Reply, data: Uint8Array): Pixels {
  return { data, width: reply.width ?? 0, height: reply.height ?? 0 };
}
