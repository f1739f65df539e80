/** `isotorch serve` */
import { say } from "../terminal/terminal.ts";
import { shown, shownValue } from "../../base/text/shown.ts";
import { createClassifier } from "../../classification/classifier.ts";
import type { Classifier } from "../../classification/classifier.ts";
import { ofWorker } from "../../classification/info.ts";
import { IsotorchError } from "../../base/errors.ts";
import { limitsOf } from "../../image/source/limits.ts";
import { createServer } from "../../server.ts";
import type { LogLevel, ServerOptions } from "../../server.ts";
import { SERVER_LIMITS } from "../../server/options.ts";
import { SERVE } from "../describe/serve.ts";
import { parserOf } from "../flags/description.ts";
import { classifierOptions, parseFlags, wholeNumber } from "../flags/flags.ts";
import { createGenerator } from "../../generation/generator.ts";
import type { TextGenerator } from "../../generation/generator.ts";
import { servedOf, servedTexts } from "../flags/served.ts";
import { generatorOptions } from "../flags/texts.ts";
import { EXIT } from "../exit.ts";
import { LOGGED_WARNINGS } from "../terminal/notes.ts";

/** Serves until the signal. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(SERVE));
  if (positionals.length > 0) {
    throw new IsotorchError("INVALID_OPTION", `serve takes no ${shownValue(positionals[0])}.`, {
      hint: "Pictures are sent to the server once it runs.",
    });
  }
  const token = values["token"] ?? process.env["ISOTORCH_TOKEN"];
  delete process.env["ISOTORCH_TOKEN"]; // the worker inherits the environment
  const options: Omit<ServerOptions, "classifier"> = {
    ...(values["host"] !== undefined && { host: String(values["host"]) }),
    ...(values["port"] !== undefined && { port: wholeNumber("port", values["port"]) }),
    ...(token !== undefined && { token: String(token) }),
    allowHosts: [values["allow-host"] ?? []].flat().map(String),
    ...(values["timeout"] !== undefined && { timeoutMs: wholeNumber("timeout", values["timeout"]) }),
    ...(values["no-compare"] === true && { compare: false }),
    logLevel: (values["log"] ?? (process.stderr.isTTY ? "warn" : "info")) as LogLevel,
  };
  const logger = process.stderr.isTTY ? {} : { logger: LOGGED_WARNINGS };
  const texts = servedTexts(values);
  const hasPictures = texts.length === 0 || values["model"] !== undefined || values["weights"] !== undefined;
  const networks = (hasPictures ? servedOf(values) : []).map(({ name, values: own }) => ({
    name,
    given: { ...classifierOptions(own), ...logger },
  }));
  // Those of the worker's Pillow are the server's: tighter than for pictures of one's own.
  const { pixels, pictureBytes, side, scans, chunks } = SERVER_LIMITS;
  const asked = networks[0]?.given.limits;
  const limits = limitsOf({ pixels, bytes: pictureBytes, side, scans, chunks, ...asked });
  const started: [name: string | undefined, classifier: Classifier][] = [];
  const generators: [name: string, generator: TextGenerator][] = [];
  try {
    // One after the other: two that load at a time take the memory and the cores of each other.
    for (const { name, given } of networks)
      started.push([name, await createClassifier({ ...given, limits, signal })]);
    for (const { name, values: own } of texts)
      generators.push([name, await createGenerator({ ...generatorOptions(own), ...logger, signal })]);
    const { bytes, ...ofPicture } = limits;
    await using server = await listening({
      ...options,
      ...(started.length > 0 && { classifier: togetherOf(started) }),
      ...(generators.length > 0 && { generator: Object.fromEntries(generators) }),
      limits: { ...ofPicture, pictureBytes: bytes },
    });
    say(`${[...started.map(lineOf), ...generators.map(textLineOf)].join("; ")}: ${server.pageUrl}\n`);
    if (!signal.aborted)
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    return EXIT.ok;
  } finally {
    await Promise.all([...started, ...generators].map(([, one]) => one.close()));
  }
}

type Started = readonly [name: string | undefined, classifier: Classifier];

function togetherOf(started: readonly Started[]): NonNullable<ServerOptions["classifier"]> {
  const [only] = started;
  if (only !== undefined && only[0] === undefined) return only[1];
  return Object.fromEntries(started);
}

/** What runs, for the line that is printed. */
function lineOf([name, classifier]: Started): string {
  const { model, weights, device } = ofWorker(classifier.info(), "`serve`");
  const untrained = weights.trained === false ? " (untrained: its labels mean nothing)" : "";
  return `${name ?? model}, ${weights.name}${untrained}, on ${device}`;
}

function textLineOf([name, generator]: readonly [name: string, generator: TextGenerator]): string {
  const { weights, device } = generator.info();
  const untrained = weights.trained === false ? " (untrained: its texts mean nothing)" : "";
  return `${name}, ${weights.name}${untrained}, on ${device}`;
}

async function listening(options: ServerOptions): ReturnType<typeof createServer> {
  try {
    return await createServer(options);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (cause instanceof IsotorchError || code === undefined) throw cause;
    const why = code === "EADDRINUSE" ? "is taken" : `cannot be had (${code})`;
    throw new IsotorchError(
      "INVALID_OPTION",
      `The address ${shown(options.host ?? "127.0.0.1")}, port ${options.port ?? 8_000}, ${why}.`,
      {
        hint: "Give another one with --host and --port; --port 0 takes a free one.",
        cause,
      },
    );
  }
}
