/** What the real classifier does in Node: the only part of a fake one that needs sharp. No thread is started for it. */
import { payloadOf, tensorOf } from "../handoff.ts";
import type { Hands, Payload } from "../handoff.ts";
import { IsotorchError } from "../errors.ts";
import { prepare } from "../image/prepare.ts";
import type { ImageInput, Pixels } from "../image/source.ts";
import type { Tensor } from "../image/tensor.ts";
import type { ResolvedClassifyOptions, TransformsName } from "../options.ts";
import { specOf } from "../worker/known.ts";

const hands = (transforms: TransformsName, signal: AbortSignal): Hands => ({
  spec: specOf(transforms),
  signal,
  prepare,
  pillow: onlyPillow,
});

/** @throws IsotorchError as the real classifier; `UNSUPPORTED_FORMAT` for what only Pillow reads. */
export function preprocessed(
  image: ImageInput,
  call: ResolvedClassifyOptions,
  transforms: TransformsName,
  signal: AbortSignal,
): Promise<Tensor> {
  return tensorOf(image, call, hands(transforms, signal));
}

/** What the call includes of the tensor and the decoded pixels. Throws as {@link preprocessed}. */
export function included(
  image: ImageInput,
  call: ResolvedClassifyOptions,
  transforms: TransformsName,
  signal: AbortSignal,
): Promise<Pick<Payload, "tensor" | "pixels">> {
  return payloadOf(image, call, "tensor", hands(transforms, signal));
}

function onlyPillow(): Promise<Pixels> {
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
