/** `isotorch preprocess IMAGE --out FILE.npy` */
import { say } from "../terminal/terminal.ts";
import { writeNpy } from "../../base/files/npy.ts";
import { writeOutput } from "../../base/files/output.ts";
import { readFileSync } from "node:fs";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { parseJson } from "../../base/files/json.ts";
import { shown } from "../../base/text/shown.ts";
import type { TransformsName } from "../../classification/options.ts";
import type { Transforms } from "../../image/spec.ts";
import { preprocess } from "../../classification/oneshot.ts";
import { PREPROCESS } from "../describe/preprocess.ts";
import { parserOf } from "../flags/description.ts";
import { classifierOptions, imageOptions, parseFlags } from "../flags/flags.ts";
import { EXIT } from "../exit.ts";
import { readStdin } from "../lists/stdin.ts";

/** Weights by name, or what stands in a file. Either is checked where it is used. */
function transformsOf(given: string): TransformsName | Transforms {
  if (!given.endsWith(".json")) return given as TransformsName;
  try {
    return parseJson(readFileSync(given, "utf8")) as Transforms;
  } catch (cause) {
    throw new IsotorchError(
      "INVALID_OPTION",
      `--transforms ${shown(given)} cannot be read: ${messageOf(cause)}.`,
      {
        hint: 'It is JSON such as {"resize": 256, "crop": [224, 320], "interpolation": "bicubic"}.',
        cause,
      },
    );
  }
}

/** @returns 0. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(PREPROCESS));
  const [input, ...more] = positionals;
  const { out } = values;
  if (input === undefined || more.length > 0 || typeof out !== "string") {
    throw new IsotorchError("INVALID_OPTION", "`preprocess` takes one picture and --out FILE.npy.", {
      hint: "isotorch preprocess dog.jpg --out dog.npy",
    });
  }
  const image = input === "-" ? readStdin() : input;
  const { transforms, ...options } = values;
  const tensor = await preprocess(image, {
    ...classifierOptions(options),
    ...imageOptions(values),
    transforms: transforms === undefined ? "IMAGENET1K_V1" : transformsOf(String(transforms)),
    signal,
  });
  await writeOutput(out, writeNpy("<f4", tensor.shape, tensor.data), "The array");
  const { shape } = tensor;
  const line = { input, out, shape, dtype: "float32" };
  say(values["json"] === true ? `${JSON.stringify(line)}\n` : `${out}  float32 [${shape.join(", ")}]\n`);
  return EXIT.ok;
}
