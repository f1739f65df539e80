/** What the real classifier does in Node: the only part of a fake one that needs sharp. No process is started for it. */
import { payloadOf, tensorOf } from "../classification/handoff.ts";
import type { Payload, Preparation } from "../classification/handoff.ts";
import type { Preprocessed } from "../tasks/decode.ts";
import { IsotorchError } from "../base/errors.ts";
import { referenceAttestation } from "../image/attest/attestation.ts";
import { prepare } from "../image/prepare.ts";
import { DEFAULT_LIMITS } from "../image/source/limits.ts";
import type { ImageInput } from "../image/source/source.ts";
import type { Tensor } from "../image/tensor.ts";
import type { ResolvedClassifyOptions } from "../classification/options.ts";
import type { WireSpec } from "../protocol/messages.ts";

/** As for the most common Pillow: a fake classifier has none to be compared with. */
function preparation(spec: WireSpec, signal: AbortSignal): Preparation {
  return {
    spec,
    attestation: referenceAttestation(),
    limits: DEFAULT_LIMITS,
    signal,
    prepare,
    environment: onlyPillow,
    hasEnvironment: false,
  };
}

/** @throws IsotorchError as the real classifier; `UNSUPPORTED_FORMAT` for what only Pillow reads. */
export async function preprocessed(
  image: ImageInput,
  call: ResolvedClassifyOptions,
  spec: WireSpec,
  signal: AbortSignal,
): Promise<Tensor> {
  return (await tensorOf(image, call, preparation(spec, signal))).tensor;
}

/** What the call includes of the tensor and the decoded pixels. Throws as {@link preprocessed}. */
export function included(
  image: ImageInput,
  call: ResolvedClassifyOptions,
  spec: WireSpec,
  signal: AbortSignal,
): Promise<Pick<Payload, "tensor" | "pixels">> {
  return payloadOf(image, call, "tensor", preparation(spec, signal));
}

function onlyPillow(): Promise<Preprocessed> {
  return Promise.reject(
    new IsotorchError(
      "UNSUPPORTED_FORMAT",
      "Only Pillow decodes this picture, and a fake classifier has none.",
      {
        hint: "Use an 8-bit RGB JPEG, PNG or WebP in tests that ask for tensors or pixels.",
      },
    ),
  );
}
