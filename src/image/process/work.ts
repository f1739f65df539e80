/** What a process of our own does for a picture. To import it closes sharp for all that only a stranger's file would need. */
import { outOfMemory } from "../../base/memory.ts";
import { ownDigests } from "../attest/digests.ts";
import { serialise } from "../serialised-error.ts";
import { confineSharp } from "../decode/decode.ts";
import { prepare } from "../prepare.ts";
import type { FromChild, ToChild } from "./messages.ts";

confineSharp();

/** Never throws: what went wrong is in the answer. */
export async function answerTo(
  { id, job }: Exclude<ToChild, { abort: number }>,
  signal: AbortSignal,
): Promise<Exclude<FromChild, string>> {
  try {
    if (job === "attest") return { id, digests: await ownDigests() };
    const prepared = await prepare(job, signal);
    if (prepared.encoded === undefined || job.source.kind !== "encoded") return { id, prepared };
    // Whoever sent the file has it.
    const { encoded: _, ...made } = prepared;
    return { id, prepared: made, withFile: true };
  } catch (error) {
    return { id, error: serialise(outOfMemory(error) ?? error) };
  }
}
