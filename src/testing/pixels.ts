/** What the real classifier does in Node: the only part of a fake one that needs sharp. */
import { checkedTensor, pixelsOf } from "../handoff.ts";
import { IsotorchError } from "../errors.ts";
import { preprocessPixels } from "../image/preprocess.ts";
import type { LoadedImage, Pixels } from "../image/source.ts";
import type { Tensor } from "../image/tensor.ts";
import type { ResolvedClassifyOptions, TransformsName } from "../options.ts";
import { specOf } from "../worker/known.ts";

/** @throws IsotorchError as the real classifier; `UNSUPPORTED_FORMAT` for what only Pillow reads. */
export async function preprocessed(
  image: LoadedImage,
  call: ResolvedClassifyOptions,
  transforms: TransformsName,
): Promise<{ readonly tensor: Tensor; readonly pixels?: Pixels }> {
  const spec = specOf(transforms);
  if (image.kind === "tensor") return { tensor: checkedTensor(image.tensor, spec) };
  const pixels = await pixelsOf(image, call, onlyPillow);
  return { tensor: preprocessPixels(pixels, spec), pixels };
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
