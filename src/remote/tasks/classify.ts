/** Image classification by a server of the Open Inference Protocol. */
import { shown } from "../../base/text/shown.ts";
import { IsotorchError } from "../../base/errors.ts";
import { pictureFrame } from "../../tasks/classify.ts";
import type { Ranking, ToClassify } from "../../tasks/classify.ts";
import type { RemoteTask } from "./task.ts";
import { outputsFor, rankingOf } from "./answer.ts";
import type { DataType } from "../oip.ts";

export const classify: RemoteTask<ToClassify, Ranking> = {
  bytesOf: ({ picture }) => pictureFrame(picture).data.byteLength,
  askedOf: ({ picture, include, topK, activation }, metadata, url) => {
    const { handoff } = picture;
    const name = metadata.inputs[handoff];
    if (name === undefined) return refused(handoff, url);
    if (activation !== "softmax" && !metadata.activations.includes(activation)) {
      return mismatched(`${shown(url)} cannot be asked for ${activation}`, "Leave `activation` out.");
    }
    if (include.includes("embedding") && metadata.outputs.embedding === undefined) {
      return mismatched(
        `${shown(url)} has no output \`embedding\``,
        "Use a newer `isotorch serve`, or a worker of this machine.",
      );
    }
    const { shape, data } = pictureFrame(picture);
    const input = { name, datatype: DATATYPES[handoff], shape: handoff === "encoded" ? [1] : shape, data };
    const outputs = outputsFor(metadata, { topK, include });
    return { input, outputs, ...(activation !== "softmax" && { parameters: { activation } }) };
  },
  partOf: rankingOf,
};

const DATATYPES = { tensor: "FP32", pixels: "UINT8", encoded: "BYTES" } as const satisfies Record<
  string,
  DataType
>;

/** A server of others has no Pillow; one of ours takes files, and gives back no tensors or pixels. */
export function noPillow(isOurs: boolean): IsotorchError {
  const take = "`include.tensor`, `include.pixels`, `exif`, `icc` and `mode`";
  return isOurs
    ? new IsotorchError(
        "UNSUPPORTED_FORMAT",
        "This image has to be prepared by the server's own Pillow, which gives back no tensor or pixels.",
        { hint: `Call \`classify()\` without ${take}: the server then takes the file as it is.` },
      )
    : new IsotorchError(
        "UNSUPPORTED_FORMAT",
        "This image needs Pillow, which this remote server does not provide.",
        { hint: "Save it as an ordinary JPEG, PNG or WebP, or use a worker of this machine." },
      );
}

function refused(handoff: string, url: string): IsotorchError {
  if (handoff === "encoded") return noPillow(false);
  return mismatched(`${shown(url)} takes no ${handoff}`, 'Use `handoff: "tensor"`.');
}

function mismatched(what: string, hint: string): IsotorchError {
  return new IsotorchError("REMOTE_MISMATCH", `${what}.`, { hint });
}
