/** What a worker that is ready is and has loaded. */
import type { Digests } from "../image/attest/built-in.ts";
import { frameOf, stringsOf, textsOf } from "../protocol/frames.ts";
import type { Fields, MessageOf } from "../protocol/wire.ts";

/** What the worker said of itself when it was ready. */
export interface WorkerReady extends Fields<"ready"> {
  readonly hello: Fields<"hello">;
  readonly categories: readonly string[];
  /** What was decided of the checkpoint where it leaves something open, each a sentence. */
  readonly remarks: readonly string[];
  /** The tutorial's `dir(models)`. */
  readonly models: readonly string[];
  readonly attestation: { readonly source: "worker"; readonly digests: Digests };
}

/** @throws IsotorchError `PROTOCOL_ERROR` */
export function readyOf(hello: Fields<"hello">, message: MessageOf<"ready">): WorkerReady {
  return {
    ...message.fields,
    hello,
    categories: stringsOf(frameOf(message, "categories")),
    models: stringsOf(frameOf(message, "models")),
    remarks: stringsOf(frameOf(message, "remarks")),
    attestation: { source: "worker", digests: textsOf(frameOf(message, "attestation")) },
  };
}
