/** What a route gives back, and how it is sent. */
import { Readable } from "node:stream";
import type { ServerResponse } from "node:http";
import { after } from "../../base/time/timer.ts";
import { compressed } from "./compress.ts";
import type { Answer, Headers, HttpRequest } from "./request.ts";

export const JSON_TYPE = "application/json; charset=utf-8";

/** A value as JSON. */
export function json(value: object, status = 200): Answer {
  return { status, headers: { "content-type": JSON_TYPE }, body: JSON.stringify(value) };
}

/** A body of that type. */
export function typed(type: string, body: Answer["body"], headers: Headers = {}): Answer {
  return { status: 200, headers: { ...headers, "content-type": type }, body };
}

/** @param patienceMs of a reader that does not take the answer. */
export async function send(
  { headers: asked, response }: HttpRequest,
  { status, headers, body }: Answer,
  patienceMs: number,
): Promise<void> {
  if (body instanceof Readable) {
    response.writeHead(status, headers);
    body.once("error", () => response.destroy());
    response.once("close", () => body.destroy());
    body.pipe(response);
    return;
  }
  const packed = await compressed(asked["accept-encoding"], body);
  if (response.destroyed) return;
  cutSlowReader(response, patienceMs);
  response.writeHead(status, { ...headers, ...packed.headers, "content-length": packed.body.byteLength });
  response.end(packed.body);
}

/** An answer that nobody takes is not kept for ever. */
function cutSlowReader(response: ServerResponse, ms: number): void {
  const timer = after(ms, () => response.destroy());
  response.once("close", () => timer.cancel());
}
