/** What of a picture crosses to another process and back. */
import { isAbsolute } from "node:path";
import type { Prepared } from "../prepare.ts";
import type { FromChild, Work } from "./messages.ts";

/** The work as the other process understands it, which is in a folder of its own. */
export function sent(work: Work): Work {
  if (work === "attest" || work.source.kind !== "file" || isAbsolute(work.source.path)) return work;
  return { ...work, folder: process.cwd() };
}

/** What was made, each part in memory of its own. */
export function received(
  { prepared, withFile = false }: Extract<FromChild, { prepared: Prepared }>,
  work: Work,
): Prepared {
  const { encoded, pixels, cropped, tensor, ...made } = prepared;
  const given =
    withFile && work !== "attest" && work.source.kind === "encoded" ? work.source.bytes : undefined;
  const file = given ?? encoded;
  return {
    ...(file && { encoded: own(file) }),
    ...(pixels && { pixels: { ...pixels, data: own(pixels.data) } }),
    ...(cropped && { cropped: { ...cropped, data: own(cropped.data) } }),
    ...(tensor && { tensor: { ...tensor, data: own(tensor.data) } }),
    ...made,
  };
}

/** What came lies in the memory of the whole message, and what was given in its caller's. */
function own<T extends Uint8Array | Float32Array>(view: T): T {
  const copy = view instanceof Uint8Array ? new Uint8Array(view) : new Float32Array(view);
  return copy as T;
}
