/** Jobs for the processes that prepare pictures. */
import { referenceAttestation } from "../../src/image/attest/attestation.ts";
import { DEFAULT_LIMITS } from "../../src/image/source/limits.ts";
import type { Job } from "../../src/image/prepare.ts";
import { SPEC_V1 } from "./random.ts";

export function jobOf(source: Job["source"], want: Partial<Job["want"]> = { tensor: true }): Job {
  const nothing = { encoded: false, pixels: false, cropped: false, tensor: false };
  return {
    source,
    spec: SPEC_V1,
    attestation: referenceAttestation(),
    limits: DEFAULT_LIMITS,
    decode: {},
    want: { ...nothing, ...want },
  };
}

export const file = (path: string): Job["source"] => ({ kind: "file", path });
export const encoded = (bytes: Uint8Array): Job["source"] => ({ kind: "encoded", bytes });
