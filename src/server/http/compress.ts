/** Answers with gzip or deflate, where the client asks for that. */
import { promisify } from "node:util";
import { constants, deflate, gzip } from "node:zlib";
import type { Headers } from "./request.ts";

/** Smaller answers gain nothing. */
const LEAST_BYTES = 1_024;
/** Floats hardly shrink: the fastest level, off the main thread. */
const FAST = { level: constants.Z_BEST_SPEED };
const COMPRESS = { gzip: promisify(gzip), deflate: promisify(deflate) };
type Encoding = keyof typeof COMPRESS;

/** The bytes as they are sent. Lengths in other headers are those of what is compressed. */
export async function compressed(
  accepted: string | string[] | undefined,
  body: Uint8Array | string,
): Promise<{ readonly body: Uint8Array; readonly headers: Headers }> {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const encoding = bytes.byteLength < LEAST_BYTES ? undefined : acceptedOf(accepted);
  if (encoding === undefined) return { body: bytes, headers: {} };
  const headers = { "content-encoding": encoding, vary: "accept-encoding" };
  return { body: await COMPRESS[encoding](bytes, FAST), headers };
}
/** The one of ours that the client likes best; gzip where it likes both. */
function acceptedOf(header: string | string[] | undefined): Encoding | undefined {
  const qualities = new Map(
    String(header ?? "")
      .toLowerCase()
      .split(",")
      .map((entry) => {
        const [name = "", ...parameters] = entry.split(";").map((part) => part.trim());
        const quality = parameters.find((parameter) => parameter.startsWith("q="));
        return [name, quality === undefined ? 1 : Number(quality.slice(2))] as const;
      }),
  );
  const likes = (name: Encoding): number => qualities.get(name) ?? qualities.get("*") ?? 0;
  const best = likes("deflate") > likes("gzip") ? "deflate" : "gzip";
  return likes(best) > 0 ? best : undefined;
}
