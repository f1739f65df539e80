/** A decoder process: pictures of strangers are opened here, where a crash or a hang costs one request. */
import { IsotorchError, messageOf } from "../../errors.ts";
import { decode } from "../../image/decode.ts";
import { decoderFor } from "../../image/format.ts";
import { resizeAndCrop } from "../../image/resample.ts";
import { Stopwatch } from "../../stopwatch.ts";
import type { DecodeJob, DecodeReply } from "./messages.ts";

async function answer(job: DecodeJob): Promise<DecodeReply> {
  const clock = new Stopwatch();
  try {
    if (decoderFor(job.bytes).decoder === "worker") return { kind: "pillow", why: "format" };
    const picture = await decode(job.bytes, job);
    clock.lap("decode");
    const pixels = job.want === "crop" ? resizeAndCrop(picture, job.spec) : picture;
    clock.lap("preprocess");
    return { kind: "pixels", pixels, timings: clock.laps };
  } catch (error) {
    if (error instanceof IsotorchError) {
      // Pillow has the last word on damage, as it has in `classify()`.
      const isPillows =
        error.code === "DECODE_FAILED" &&
        job.mode === "convert-rgb" &&
        job.exif === "ignore" &&
        job.icc === "ignore";
      return isPillows ? { kind: "pillow", why: "damage" } : { kind: "failed", ...error.toJSON() };
    }
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
