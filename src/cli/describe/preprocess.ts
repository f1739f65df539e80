import type { Description } from "../flags/description.ts";
import { NETWORK, PICTURES, PYTHON } from "./shared.ts";

export const PREPROCESS: Description = {
  summary: "what the network sees, as .npy",
  usage: "IMAGE --out FILE.npy",
  examples: [
    "isotorch preprocess dog.jpg --out dog.npy",
    'isotorch preprocess dog.jpg --out dog.npy --transforms mine.json   # {"resize": 256, "crop": [224, 320]}',
    `python -c "import numpy; print(numpy.load('dog.npy').shape)"     # (1, 3, 224, 224), float32`,
  ],
  text: `The same bits as torchvision's Resize, CenterCrop, ToTensor and Normalize. No checkpoint is needed. What Node
does is compared with the Pillow and torchvision that \`doctor\` names; where there is no Python at all, it is done
as by Pillow 9 to 12 on libjpeg-turbo, and stderr says so.`,
  takes: "files",
  groups: [
    {
      flags: {
        out: { value: "FILE", about: "where the array goes" },
        model: NETWORK.flags["model"]!,
        transforms: {
          ...NETWORK.flags["transforms"]!,
          value: "NAME|FILE",
          about:
            "IMAGENET1K_V1 (default, resize 256), IMAGENET1K_V2 (resize 232), or a .json file with\n" +
            "resize, crop, mean, std and interpolation",
        },
        json: { about: '{"input","out","shape","dtype"}' },
        ...PYTHON,
      },
    },
    PICTURES,
  ],
};
