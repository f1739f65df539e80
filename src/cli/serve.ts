/** `isotorch serve` */
import { createClassifier } from "../classifier.ts";
import { IsotorchError } from "../errors.ts";
import { createServer } from "../server.ts";
import type { LogLevel, ServerOptions } from "../server.ts";
import {
  CLASSIFIER_FLAGS,
  CLASSIFIER_FLAGS_HELP,
  classifierOptions,
  parseFlags,
  wholeNumber,
} from "./flags.ts";
import { EXIT } from "./exit.ts";

export const help: string = `isotorch serve : an HTTP server in front of the network

  isotorch serve                                   prints the address of its page, with a token
  isotorch serve --port 9000 --weights IMAGENET1K_V2
  curl -H "Authorization: Bearer TOKEN" -H "Content-Type: image/jpeg" \\
       --data-binary @dog.jpg http://127.0.0.1:8000/classify

  POST /classify       a picture as the body, the answer of \`classify --json\`
  /v2/…                Open Inference Protocol, with binary tensors: tritonclient works with it
  /metrics             for Prometheus
  /                    a page to drop pictures on

  --host H             where it listens (default 127.0.0.1: this machine alone)
  --port N             0 takes a free one (default 8000)
  --token VALUE|off    what clients have to show (default a random one; also ISOTORCH_TOKEN, which \`ps\` does not show)
  --allow-host H:PORT  another Host header that is answered; may be given several times
  --timeout MS         for a request that names no time of its own (default 30000)
  --log LEVEL          silent, error, warn, info or debug: JSON lines on stderr (default warn on a terminal, else info)
  --no-compare         no plain PyTorch beside the worker
The first Ctrl-C lets running requests finish, the second ends at once.
${CLASSIFIER_FLAGS_HELP}`;

/** Serves until the signal. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, {
    ...CLASSIFIER_FLAGS,
    host: { type: "string" },
    port: { type: "string" },
    token: { type: "string" },
    "allow-host": { type: "string", multiple: true },
    timeout: { type: "string" },
    log: { type: "string" },
    "no-compare": { type: "boolean" },
  });
  if (positionals.length > 0) {
    throw new IsotorchError("INVALID_OPTION", `serve takes no ${JSON.stringify(positionals[0])}.`, {
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
  await using classifier = await createClassifier({ ...classifierOptions(values), signal });
  await using server = await listening({ ...options, classifier });
  const { weights, device } = classifier.info();
  const untrained = weights.trained === false ? " (untrained: its labels mean nothing)" : "";
  process.stdout.write(`resnet101, ${weights.name}${untrained}, on ${device}: ${server.pageUrl}\n`);
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
      `The address ${options.host ?? "127.0.0.1"}, port ${options.port ?? 8_000}, ${why}.`,
      {
        hint: "Give another one with --host and --port; --port 0 takes a free one.",
        cause,
      },
    );
  }
}
