import { readFileSync } from "node:fs";
import { built } from "../built.ts";

/** The inner loops, `image/assembly/kernel.ts`, with the memory that they work in. */
export interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  horizontal(
    source: number,
    sourceStride: number,
    rows: number,
    columns: number,
    count: number,
    target: number,
    targetStride: number,
  ): void;
  vertical(source: number, stride: number, rows: number, count: number, target: number, width: number): void;
  planes(source: number, count: number, table: number, target: number): void;
}

/** What is used of WebAssembly; the types of Node do not have it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

const PAGE = 65_536;
/** The memory of a WebAssembly module never shrinks: what needs more than this gets one of its own. */
const KEPT_BYTES = 16 * 1024 * 1024;

let module: object | undefined;
let shared: Kernel | undefined;

/** A kernel with at least so many bytes of memory, which hold what the last call left there. */
export function kernelOf(bytes: number): Kernel {
  const kernel = bytes > KEPT_BYTES ? instance() : (shared ??= instance());
  const missing = bytes - kernel.memory.buffer.byteLength;
  if (missing > 0) kernel.memory.grow(Math.ceil(missing / PAGE));
  return kernel;
}

function instance(): Kernel {
  module ??= new WebAssembly.Module(readFileSync(built("kernel.wasm")));
  return new WebAssembly.Instance(module).exports as Kernel;
}
