import type { InputSpec, Pixels } from "../../src/image/resample/geometry.ts";

/** A small seeded generator (mulberry32): the same numbers for the same seed, everywhere. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 up to, not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)]!;
  }

  /** A picture: noise, extremes only, stripes, or a ramp. */
  pixels(width: number, height: number): Pixels {
    const data = new Uint8Array(width * height * 3);
    const kind = this.integer(0, 3);
    const period = this.integer(1, 9);
    for (let i = 0; i < data.length; i++) {
      if (kind === 0) data[i] = this.integer(0, 255);
      else if (kind === 1) data[i] = this.next() < 0.5 ? 0 : 255;
      else if (kind === 2) data[i] = Math.floor(i / 3 / period) % 2 === 0 ? 250 : 3;
      else data[i] = (i * period) % 256;
    }
    return { data, width, height };
  }
}

/** torchvision's preprocessing of resnet101 with the weights `IMAGENET1K_V1`. */
export const SPEC_V1: InputSpec = {
  resize: 256,
  crop: 224,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  interpolation: "bilinear",
};

/** The same for `IMAGENET1K_V2`. */
export const SPEC_V2: InputSpec = { ...SPEC_V1, resize: 232 };

/** Positions at which two byte arrays differ, or -1 when their lengths do. */
export function differences(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return -1;
  if (Buffer.compare(a, b) === 0) return 0;
  return a.reduce((count, value, i) => count + Number(value !== b[i]), 0);
}

/** The bytes of a float32 array. */
export function bytesOf(floats: Float32Array): Uint8Array {
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
}
