/** A decoder process: pictures of strangers are opened here, where a crash or a hang costs one request. */
import { IsotorchError, messageOf } from "../../errors.ts";
import { confineSharp } from "../../image/decode.ts";
import { prepare } from "../../image/prepare.ts";
import type { DecodeJob, DecodeReply } from "./messages.ts";

confineSharp();

async function answer(job: DecodeJob): Promise<DecodeReply> {
  try {
    const { left, pixels, cropped, laps } = await prepare(job);
    const made = cropped ?? pixels;
    if (left !== undefined || made === undefined) return { kind: "pillow" };
    const { read: _, ...timings } = laps;
    return { kind: "pixels", pixels: made, timings };
  } catch (error) {
    if (error instanceof IsotorchError) return { kind: "failed", ...error.toJSON() };
    const message = `The picture could not be decoded: ${messageOf(error)}`;
    return { kind: "failed", code: "DECODE_FAILED", message, hint: "Save it with another program first." };
  }
}

process.on("message", (job) => {
  void answer(job as DecodeJob).then((reply) => process.send?.(reply));
});
process.on("disconnect", () => process.exit(0));
// Ctrl-C reaches the whole group: the server decides when this ends.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
