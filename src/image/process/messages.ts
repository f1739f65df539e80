/** What the controller and a process that prepares pictures say to each other. */
import type { OwnDigests } from "../attest/built-in.ts";
import type { SerialisedError } from "../serialised-error.ts";
import type { Job, Prepared } from "../prepare.ts";

/** A picture to be prepared; `attest` stands for the pictures of the attestation, decoded and resized. */
export type Work = Job | "attest";

/** One at a time. `abort`: nobody waits for that one any more. */
export type ToChild = { readonly id: number; readonly job: Work } | { readonly abort: number };

/** `ready` or `unable` comes first, once; then an answer to each piece of work. */
export type FromChild =
  | "ready"
  | { readonly unable: SerialisedError }
  /** `withFile`: the file that was sent is a part of it. */
  | { readonly id: number; readonly prepared: Prepared; readonly withFile?: boolean }
  | { readonly id: number; readonly digests: OwnDigests }
  | { readonly id: number; readonly error: SerialisedError };
