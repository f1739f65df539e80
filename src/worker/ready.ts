/** What a worker that is ready is and has loaded. */
import { frameOf, stringsOf } from "../protocol/frames.ts";
import type { Fields, MessageOf } from "../protocol/wire.ts";
import { type Network, networkOf } from "../tasks/network.ts";

/** What the worker said of itself when it was ready. */
export interface WorkerReady extends Omit<Fields<"ready">, "network"> {
  readonly hello: Fields<"hello">;
  readonly network: Network;
  /** What was decided of the checkpoint where it leaves something open, each a sentence. */
  readonly remarks: readonly string[];
}

/** @throws IsotorchError `PROTOCOL_ERROR` */
export function readyOf(hello: Fields<"hello">, message: MessageOf<"ready">): WorkerReady {
  return {
    ...message.fields,
    hello,
    network: networkOf(message),
    remarks: stringsOf(frameOf(message, "remarks")),
  };
}
