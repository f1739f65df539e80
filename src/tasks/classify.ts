/** Image classification: a picture as it goes to the network, and the classes that come back. */
import type { Pixels } from "../image/resample/geometry.ts";
import type { Tensor } from "../image/tensor.ts";
import type { Activation, Include } from "../protocol/messages.ts";
import { encodedFrame, floatsOf, frameOf, integersOf } from "../protocol/frames.ts";
import type { Frame } from "../protocol/wire.ts";
import type { Task } from "./task.ts";

/** What the network gets, in the form in which it travels. */
export type Picture =
  /** float32 [1,3,height,width], normalised. */
  | { readonly handoff: "tensor"; readonly tensor: Tensor }
  /** uint8 [1,height,width,3]; normalised where the network is. */
  | { readonly handoff: "pixels"; readonly pixels: Pixels }
  /** A file, read and preprocessed where the network is. */
  | { readonly handoff: "encoded"; readonly bytes: Uint8Array };

export interface ToClassify {
  readonly picture: Picture;
  /** Best classes that are wanted, 0 = all. */
  readonly topK: number;
  readonly activation: Activation;
  readonly include: readonly Include[];
  /** Of an encoded picture at most. */
  readonly maxPixels: number;
}

/** The classes of one picture, best first. */
export interface Ranking {
  readonly indices: readonly number[];
  /** Softmax, or sigmoid where that was asked for, float32, 0 to 1. */
  readonly scores: Float32Array;
  /** Scores times 100 in float32. */
  readonly percentages: Float32Array;
  /** One value per class, in class order, where they were asked for. */
  readonly logits?: Float32Array;
  readonly probabilities?: Float32Array;
  /** What the network's head was given, where it was asked for. */
  readonly embedding?: Float32Array;
  /** Milliseconds by stage. */
  readonly timings: Readonly<Record<string, number>>;
  /** Pictures that were computed together; undefined where nobody says it. */
  readonly batch?: number;
}

export const classify: Task<"classify", ToClassify, Ranking> = {
  isReplayable: true,
  contentOf: ({ picture, topK, activation, include, maxPixels }) => ({
    fields: { handoff: picture.handoff, topK, activation, include, maxPixels },
    frames: [pictureFrame(picture)],
    apart: picture.handoff === "encoded",
  }),
  partOf: (reply) => {
    const has = (name: string): boolean => reply.frames.some((frame) => frame.name === name);
    return {
      indices: integersOf(frameOf(reply, "indices")),
      scores: floatsOf(frameOf(reply, "scores")),
      percentages: floatsOf(frameOf(reply, "percentages")),
      ...(has("logits") && { logits: floatsOf(frameOf(reply, "logits")) }),
      ...(has("probabilities") && { probabilities: floatsOf(frameOf(reply, "probabilities")) }),
      ...(has("embedding") && { embedding: floatsOf(frameOf(reply, "embedding")) }),
      ...(reply.type === "result" ? reply.fields : { timings: {} }),
    };
  },
};

/** A picture as one array with its shape. */
export function pictureFrame(picture: Picture): Frame {
  switch (picture.handoff) {
    case "tensor": {
      const { data, shape } = picture.tensor;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      return { name: "tensor", dtype: "<f4", shape, data: bytes };
    }
    case "pixels": {
      const { data, width, height } = picture.pixels;
      return { name: "pixels", dtype: "|u1", shape: [1, height, width, 3], data };
    }
    case "encoded":
      return encodedFrame(picture.bytes);
  }
}
