/** `isotorch up --ray` */
import { say } from "../terminal/terminal.ts";
import { shown } from "../../base/text/shown.ts";
import { unexpected } from "../../base/options/check.ts";
import { IsotorchError } from "../../base/errors.ts";
import { deploy } from "../../ray/deploy.ts";
import type { RayOptions } from "../../ray/deploy.ts";
import { rayPython } from "../../ray/venv.ts";
import { UP } from "../describe/ray.ts";
import { parserOf } from "../flags/description.ts";
import { EXIT } from "../exit.ts";
import { classifierOptions, numberFrom0, parseFlags, wholeNumber } from "../flags/flags.ts";
import type { Values } from "../flags/flags.ts";

/** Without `--address` it serves until the signal; with it, it deploys and returns. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = parseFlags(argv, parserOf(UP));
  if (values["ray"] !== true) {
    throw new IsotorchError("INVALID_OPTION", "There is nothing else than Ray Serve to bring up.", {
      hint: "Say --ray; `isotorch serve` serves from this machine without it.",
    });
  }
  const token = process.env["ISOTORCH_TOKEN"];
  delete process.env["ISOTORCH_TOKEN"]; // Ray's processes inherit the environment
  const ray: Omit<RayOptions, "python"> = {
    address: values["address"] === undefined ? undefined : String(values["address"]),
    replicas: replicasOf(values),
    cpus: share("cpus", values["cpus"], 1),
    gpus: share("gpus", values["gpus"], 0),
    host: String(values["host"] ?? "127.0.0.1"),
    port: values["port"] === undefined ? 8_000 : wholeNumber("port", values["port"]),
    token: token === "" ? undefined : token,
  };
  const options = classifierOptions(values);
  const python = await rayPython({
    ...options,
    signal,
    onStep: (step) => say(`> ${step}\n`, process.stderr),
  });
  const { name, url, ended } = await deploy({ ...ray, python }, options, signal);
  say(`${shown(name)} on Ray Serve: ${url}\n`);
  await ended;
  return EXIT.ok;
}

/** `4`, or `1-8` to scale on the length of the queue. */
function replicasOf(values: Values): RayOptions["replicas"] {
  const given = String(values["replicas"] ?? "1");
  const [, least = "", most] = /^([1-9]\d{0,3})(?:-([1-9]\d{0,3}))?$/.exec(given) ?? [];
  if (least === "" || (most !== undefined && Number(most) < Number(least))) {
    throw unexpected("--replicas is", given, "a number or two, as 4 or 1-8");
  }
  return most === undefined ? Number(least) : [Number(least), Number(most)];
}

function share(flag: string, value: Values[string], otherwise: number): number {
  return value === undefined ? otherwise : numberFrom0(flag, value);
}
