/** `isotorch preprocess IMAGE --out FILE.npy` */
import { writeFile } from "node:fs/promises";
import { IsotorchError, messageOf } from "../errors.ts";
import { preprocess } from "../oneshot.ts";
import { IMAGE_FLAGS, IMAGE_FLAGS_HELP, classifierOptions, imageOptions, parseFlags } from "./flags.ts";
import { EXIT } from "./exit.ts";
import { npy } from "./npy.ts";
import { readStdin } from "./stdin.ts";

export const help: string = `isotorch preprocess IMAGE --out FILE.npy : what the network sees

  isotorch preprocess dog.jpg --out dog.npy
  python -c "import numpy; print(numpy.load('dog.npy').shape)"     # (1, 3, 224, 224), float32

The same bits as torchvision's Resize, CenterCrop, ToTensor and Normalize. No checkpoint is needed, and no
Python either, unless the picture is of a kind that only Pillow reads as Pillow does.

  --out FILE           where the array goes
  --transforms NAME    IMAGENET1K_V1 (default, resize 256) or IMAGENET1K_V2 (resize 232)
  --json               {"input","out","shape","dtype"}
  --python PATH, --env NAME|PREFIX
${IMAGE_FLAGS_HELP}`;

/** @returns 0. */
export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseFlags(argv, {
    ...IMAGE_FLAGS,
    out: { type: "string" },
    transforms: { type: "string" },
    python: { type: "string" },
    env: { type: "string" },
    json: { type: "boolean" },
  });
  const [input, ...more] = positionals;
  const { out } = values;
  if (input === undefined || more.length > 0 || typeof out !== "string") {
    throw new IsotorchError("INVALID_OPTION", "`preprocess` takes one picture and --out FILE.npy.", {
      hint: "isotorch preprocess dog.jpg --out dog.npy",
    });
  }
  const image = input === "-" ? readStdin() : input;
  const tensor = await preprocess(image, { ...classifierOptions(values), ...imageOptions(values) });
  try {
    await writeFile(out, npy(tensor));
  } catch (cause) {
    throw new IsotorchError("INVALID_OPTION", `The array cannot be written: ${messageOf(cause)}.`, { cause });
  }
  const { shape } = tensor;
  const line = { input, out, shape, dtype: "float32" };
  process.stdout.write(
    values["json"] === true ? `${JSON.stringify(line)}\n` : `${out}  float32 [${shape.join(", ")}]\n`,
  );
  return EXIT.ok;
}
