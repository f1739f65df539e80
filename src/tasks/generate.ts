/** Text generation: the tokens of a prompt, and one part for each token that comes. */
import { floatsOf, frameOf, integersOf } from "../protocol/frames.ts";
import type { Fields } from "../protocol/messages.ts";
import type { Frame } from "../protocol/wire.ts";
import type { Task } from "./task.ts";

export interface ToGenerate extends Omit<Fields<"generate">, "deadlineMs" | "following"> {
  /** Ids of tokens, at least one. */
  readonly prompt: readonly number[];
  /** Tokens that end the text. */
  readonly stopIds: readonly number[];
  /** What is added to the logits of a token, by its id. */
  readonly bias: ReadonlyMap<number, number>;
}

/** A token that was generated. */
export interface GeneratedToken {
  readonly id: number;
  /** Natural logarithm of its probability, before sampling changed the distribution. */
  readonly logprob: number;
  /** The likeliest tokens at this step, best first; empty where none were asked for. */
  readonly candidates: readonly { readonly id: number; readonly logprob: number }[];
  /** One value for each token of the vocabulary, where they were asked for. */
  readonly logits?: Float32Array;
}

/** A token, or the end of the text with its times. */
export type GeneratedPart =
  | { readonly token: GeneratedToken; readonly timings?: undefined }
  | { readonly token?: undefined; readonly timings: Readonly<Record<string, number>> };

export const generate: Task<"generate", ToGenerate, GeneratedPart> = {
  isReplayable: true,
  contentOf: ({ prompt, stopIds, bias, ...fields }) => ({
    fields,
    frames: [
      idsFrame("prompt", prompt),
      ...(stopIds.length > 0 ? [idsFrame("stopIds", stopIds)] : []),
      ...(bias.size > 0
        ? [idsFrame("biasIds", [...bias.keys()]), floatsFrame("biases", [...bias.values()])]
        : []),
    ],
    apart: true,
  }),
  partOf: (reply) => {
    if (reply.type === "result") return { timings: reply.fields.timings };
    const [id = 0] = integersOf(frameOf(reply, "tokens"));
    const [logprob = 0] = floatsOf(frameOf(reply, "logprobs"));
    const has = (name: string): boolean => reply.frames.some((frame) => frame.name === name);
    const ids = has("candidates") ? integersOf(frameOf(reply, "candidates")) : [];
    const logprobs = has("candidates") ? floatsOf(frameOf(reply, "candidateLogprobs")) : [];
    return {
      token: {
        id,
        logprob,
        candidates: ids.map((candidate, at) => ({ id: candidate, logprob: logprobs[at] ?? 0 })),
        ...(has("logits") && { logits: floatsOf(frameOf(reply, "logits")) }),
      },
    };
  },
};

/** Ids of tokens as int64. */
export function idsFrame(name: string, ids: readonly number[]): Frame {
  const data = new Uint8Array(BigInt64Array.from(ids, BigInt).buffer);
  return { name, dtype: "<i8", shape: [ids.length], data };
}

function floatsFrame(name: string, values: readonly number[]): Frame {
  const data = new Uint8Array(Float32Array.from(values).buffer);
  return { name, dtype: "<f4", shape: [values.length], data };
}
