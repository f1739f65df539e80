/** Every option of the server, documented; resolved once at the door. */
import { excerpt, shownValue } from "../base/shown.ts";
import type { Classifier } from "../classifier.ts";
import { IsotorchError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { DecoderOptions } from "./decoder/pool.ts";
import { checkedToken, makeToken } from "./security/token.ts";

export interface ServerOptions {
  /** Answers the requests. The server does not close it. */
  readonly classifier: Classifier;
  /**
   * What clients show as `Authorization: Bearer TOKEN`: 16 or more letters, digits, dots, dashes or underscores.
   * `off` lets everybody in who reaches the port.
   * @default 256 random bits, in `server.token`
   */
  readonly token?: "off" | (string & {});
  /** @default "127.0.0.1" */
  readonly host?: string;
  /**
   * 0 takes a free one.
   * @default 8000
   */
  readonly port?: number;
  /**
   * Further values of the `Host` header that are answered, each with its port, such as `gpu.lan:8000`.
   * @default only loopback names and `host`
   */
  readonly allowHosts?: readonly string[];
  /**
   * Milliseconds that a request may take, where it does not say itself with `X-Request-Timeout-Ms`.
   * @default 30000
   */
  readonly timeoutMs?: number;
  /**
   * How much is taken in. `maxRequests` and `maxBytes` of bodies at a time, beyond which the answer is 503; `pixels` and
   * `pictureBytes` of one picture, beyond which it is 413: tighter than the classifier's own, for pictures of strangers.
   * @default 64 requests, 128 MiB of bodies, 50,000,000 pixels, 20 MiB of a picture
   */
  readonly limits?: Partial<ServerLimits>;
  /** The processes that decode pictures. @default 2 processes, 10 s for a picture, 64 may wait */
  readonly decoder?: Partial<DecoderOptions>;
  /**
   * Whether `POST /compare` runs plain PyTorch beside the worker.
   * @default where the classifier has a checkpoint file
   */
  readonly compare?: boolean;
  /** The least level of log lines. @default "silent" */
  readonly logLevel?: LogLevel;
  /** Where the JSON lines of the log go. @default stderr */
  readonly logTo?: { write(line: string): void };
}

export interface ServerLimits {
  readonly maxRequests: number;
  readonly maxBytes: number;
  readonly pixels: number;
  readonly pictureBytes: number;
}

/** The defaults. */
export const SERVER_LIMITS: ServerLimits = {
  maxRequests: 64,
  maxBytes: 128 * 1024 * 1024,
  pixels: 50_000_000,
  pictureBytes: 20 * 1024 * 1024,
};

export const LOG_LEVELS = ["silent", "error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface ResolvedServerOptions {
  readonly classifier: Classifier;
  /** Undefined where there is none. */
  readonly token: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly allowHosts: readonly string[];
  readonly timeoutMs: number;
  readonly limits: ServerLimits;
  readonly decoder: DecoderOptions;
  readonly compare: boolean;
  readonly logLevel: LogLevel;
  readonly logTo: { write(line: string): void };
}

const NAMES: Readonly<Record<keyof ServerOptions, true>> = {
  classifier: true,
  token: true,
  host: true,
  port: true,
  allowHosts: true,
  timeoutMs: true,
  limits: true,
  decoder: true,
  compare: true,
  logLevel: true,
  logTo: true,
};

/** Fills in the defaults. @throws IsotorchError `INVALID_OPTION` for an unknown name or a bad value. */
export function resolveServerOptions(options: ServerOptions): ResolvedServerOptions {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(NAMES, name));
  if (unknown !== undefined) {
    const meant = nearest(unknown, Object.keys(NAMES));
    const hint = meant === undefined ? {} : { hint: `Did you mean "${meant}"?` };
    throw new IsotorchError("INVALID_OPTION", `There is no option "${excerpt(unknown)}".`, hint);
  }
  const { limits, decoder } = options;
  for (const [name, value] of Object.entries({ ...limits, ...decoder, script: 1 })) {
    if (!Number.isSafeInteger(value) || value < 1) throw invalid(name, value, "a whole number from 1");
  }
  const {
    classifier,
    host = "127.0.0.1",
    port = 8_000,
    token,
    timeoutMs = 30_000,
    logLevel = "silent",
  } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw invalid("port", port, "a whole number to 65535");
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 1)
    throw invalid("timeoutMs", timeoutMs, "milliseconds from 1");
  if (host === "") throw invalid("host", host, "an address of this machine");
  if (!LOG_LEVELS.includes(logLevel)) throw invalid("logLevel", logLevel, `one of ${LOG_LEVELS.join(", ")}`);
  return {
    classifier,
    token: token === "off" ? undefined : checkedToken(token ?? makeToken()),
    host,
    port,
    allowHosts: options.allowHosts ?? [],
    timeoutMs,
    limits: { ...SERVER_LIMITS, ...limits },
    decoder: { processes: 2, timeoutMs: 10_000, maxWaiting: 64, ...decoder },
    compare: options.compare ?? classifier.info().weights.path !== "",
    logLevel,
    logTo: options.logTo ?? process.stderr,
  };
}

function invalid(name: string, value: unknown, expected: string): IsotorchError {
  return new IsotorchError(
    "INVALID_OPTION",
    `Option "${excerpt(name)}" is ${shownValue(value)}, expected ${expected}.`,
  );
}
