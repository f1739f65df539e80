/** `isotorch serve` */
import { say } from "../terminal/terminal.ts";
import { shown, shownValue } from "../../base/text/shown.ts";
import { createClassifier } from "../../classification/classifier.ts";
import { ofWorker } from "../../classification/info.ts";
import { IsotorchError } from "../../base/errors.ts";
import { limitsOf } from "../../image/source/limits.ts";
import { createServer } from "../../server.ts";
import type { LogLevel, ServerOptions } from "../../server.ts";
import { SERVER_LIMITS } from "../../server/options.ts";
import { SERVE } from "../describe/serve.ts";
import { parserOf } from "../flags/description.ts";
import { classifierOptions, parseFlags, wholeNumber } from "../flags/flags.ts";
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
  const given = {
    ...classifierOptions(values),
    ...(process.stderr.isTTY ? {} : { logger: LOGGED_WARNINGS }),
  };
  // Those of the worker's Pillow are the server's: tighter than for pictures of one's own.
  const { pixels, pictureBytes, side, scans, chunks } = SERVER_LIMITS;
  const limits = limitsOf({ pixels, bytes: pictureBytes, side, scans, chunks, ...given.limits });
  await using classifier = await createClassifier({ ...given, limits, signal });
  const { bytes, ...ofPicture } = limits;
  await using server = await listening({
    ...options,
    classifier,
    limits: { ...ofPicture, pictureBytes: bytes },
  });
  const { weights, device } = ofWorker(classifier.info(), "`serve`");
  const untrained = weights.trained === false ? " (untrained: its labels mean nothing)" : "";
  say(`resnet101, ${weights.name}${untrained}, on ${device}: ${server.pageUrl}\n`);
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return EXIT.ok;
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
