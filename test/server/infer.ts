/** Inference requests that a test spells out, in JSON and in binary. */
import type { Server } from "../../src/server.ts";
import { send } from "./serve.ts";
import type { Reply } from "./serve.ts";

export const INFER = "/v2/models/resnet101/infer";
export const VALUES = 150_528;

/** A tensor of 224 × 224 whose first value tells it apart. */
export function tensor(first: number): Float32Array {
  return new Float32Array(VALUES).fill(0.5).fill(first, 0, 1);
}

/** A request in JSON, or with bytes behind it. */
export function infer(
  server: Server,
  request: unknown,
  { binary, headers = {} }: { readonly binary?: Uint8Array; readonly headers?: Record<string, string> } = {},
): Promise<Reply> {
  const json = Buffer.from(typeof request === "string" ? request : JSON.stringify(request));
  if (binary === undefined) {
    return send(server, INFER, { body: json, headers: { "content-type": "application/json", ...headers } });
  }
  return send(server, INFER, {
    body: Buffer.concat([json, binary]),
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(json.length),
      ...headers,
    },
  });
}

/** Elements of BYTES. */
export function elements(...items: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    items.flatMap((item) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(item.length);
      return [length, item];
    }),
  );
}
