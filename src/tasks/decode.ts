/** What an environment's own Pillow and torchvision make of a file. */
import type { Pixels } from "../image/resample/geometry.ts";
import type { Tensor } from "../image/tensor.ts";
import type { Exif, Icc, Mode, WireSpec } from "../protocol/messages.ts";
import { encodedFrame, floatsOf, frameOf } from "../protocol/frames.ts";
import type { Frame } from "../protocol/wire.ts";
import type { Task } from "./task.ts";

export interface ToDecode {
  /** The file. */
  readonly bytes: Uint8Array;
  readonly exif: Exif;
  readonly icc: Icc;
  readonly mode: Mode;
  readonly maxPixels: number;
  readonly spec: WireSpec;
  /** Whether the decoded picture is wanted as well. */
  readonly picture: boolean;
}

export interface Preprocessed {
  readonly pixels?: Pixels;
  readonly cropped: Pixels;
  readonly tensor: Tensor;
  /** Milliseconds by stage. */
  readonly laps: Readonly<Record<string, number>>;
}

export const decode: Task<"decode", ToDecode, Preprocessed> = {
  isReplayable: true,
  contentOf: ({ bytes, ...fields }) => ({ fields, frames: [encodedFrame(bytes)], apart: true }),
  partOf: (reply) => {
    const { decode: read = 0, preprocess = 0 } = reply.type === "result" ? reply.fields.timings : {};
    const hasPicture = reply.frames.some(({ name }) => name === "picture");
    const tensor = frameOf(reply, "tensor");
    return {
      ...(hasPicture && { pixels: pixelsIn(frameOf(reply, "picture")) }),
      cropped: pixelsIn(frameOf(reply, "cropped")),
      tensor: { data: floatsOf(tensor), shape: tensor.shape },
      laps: { decode: read, preprocess },
    };
  },
};

function pixelsIn({ data, shape: [height = 0, width = 0] }: Frame): Pixels {
  return { data, width, height };
}
