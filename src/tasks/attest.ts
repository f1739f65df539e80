/** What an environment makes of the attestation's pictures. */
import type { Digests } from "../image/attest/built-in.ts";
import type { WireSpec } from "../protocol/messages.ts";
import { frameOf, textsOf } from "../protocol/frames.ts";
import type { Task } from "./task.ts";

export const attest: Task<"attest", { readonly spec: WireSpec }, Digests> = {
  isReplayable: true,
  contentOf: (fields) => ({ fields, frames: [], apart: false }),
  partOf: (reply) => textsOf(frameOf(reply, "attestation")),
};
