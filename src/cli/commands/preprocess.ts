/** `isotorch preprocess IMAGE --out FILE.npy` */
import { say } from "../terminal/terminal.ts";
import { writeNpy } from "../../base/files/npy.ts";
import { writeOutput } from "../../base/files/output.ts";
import { IsotorchError } from "../../base/errors.ts";
import { preprocess } from "../../classification/oneshot.ts";
import { PREPROCESS } from "../describe/preprocess.ts";
import { parserOf } from "../flags/description.ts";
import { classifierOptions, imageOptions, parseFlags } from "../flags/flags.ts";
import { EXIT } from "../exit.ts";
import { readStdin } from "../lists/stdin.ts";

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
  const tensor = await preprocess(image, {
    ...classifierOptions(values),
    ...imageOptions(values),
    signal,
  });
  await writeOutput(out, writeNpy("<f4", tensor.shape, tensor.data), "The array");
  const { shape } = tensor;
  const line = { input, out, shape, dtype: "float32" };
  say(values["json"] === true ? `${JSON.stringify(line)}\n` : `${out}  float32 [${shape.join(", ")}]\n`);
  return EXIT.ok;
}
