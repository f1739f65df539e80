/** Every option of the server, documented; resolved once at the door. */
import {
  type Checks,
  FLAG,
  POSITIVE,
  TEXT,
  check,
  defined,
  invalid,
  listOf,
  oneOf,
  whole,
} from "../base/options/check.ts";
import { isRecord } from "../base/files/json.ts";
import type { Classifier } from "../classification/classifier.ts";
import type { TextGenerator } from "../generation/generator.ts";
import { type Generators, generatorsOf } from "./completions/generators.ts";
import { checkName, nameOf } from "./names.ts";
import { DEFAULT_LIMITS } from "../image/source/limits.ts";
import { checkedHosts } from "./security/hosts.ts";
import { checkedToken, makeToken } from "./security/token.ts";

export interface ServerOptions {
  /**
   * Answers the requests; or several, by the names that their addresses have, the first of which answers where a request names
   * none. The server does not close them. One alone has the name that its network had when the server started.
   */
  readonly classifier?: Classifier | Readonly<Record<string, Classifier>>;
  /**
   * Continues texts at `POST /v1/completions`; or several, by the names that requests have for them, the first of which answers
   * where a request names none. The server does not close them. A server has a classifier, a generator, or both.
   */
  readonly generator?: TextGenerator | Readonly<Record<string, TextGenerator>>;
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
   * Further values of the `Host` header that are answered: names such as `gpu.lan:8000`, or `gpu.lan` with any port;
   * patterns such as `*.svc.cluster.local` and, for addresses, `10.*`; `*`, where there is a token. One that could do
   * nothing is refused. The probes below `/v2/health` are answered whatever the header says.
   * @default only loopback names and `host`, with the port
   */
  readonly allowHosts?: readonly string[];
  /**
   * Milliseconds that a request may take, where it does not say itself with `X-Request-Timeout-Ms`.
   * @default what a call of its network has, `info().timeoutMs`: 30000, or more for large networks
   */
  readonly timeoutMs?: number;
  /**
   * How much is taken in, and for how long. Together: `maxRequests` and `maxBytes` of bodies, beyond which the answer is
   * 503, and `maxConnections`. One: `pixels`, `pictureBytes`, `side`, `scans` and `chunks` of a picture and `jsonBytes` of an
   * inference, beyond which it is 413. Milliseconds: `headersMs` and `requestMs` to send a request, `answerMs` to take the answer.
   * @default 64 requests, 128 MiB of bodies, 1,024 connections, 50,000,000 pixels, 20 MiB of a picture, a side of 65,535,
   * 100 scans, 4,096 chunks, 64 MiB of JSON, 10 s, 60 s, 60 s
   */
  readonly limits?: Partial<ServerLimits>;
  /** The processes that decode pictures. @default 2 processes, 10 s for a picture, 64 may wait */
  readonly decoder?: Partial<DecoderOptions>;
  /**
   * Whether `POST /compare` runs plain PyTorch beside the worker.
   * @default of each network that has a checkpoint file
   */
  readonly compare?: boolean;
  /** The least level of log lines. @default "silent" */
  readonly logLevel?: LogLevel;
  /** Where the JSON lines of the log go. @default stderr */
  readonly logTo?: { write(line: string): void };
}

/** Beyond them the answer is 503 for what all requests have together, 413 for what one has. */
export interface ServerLimits {
  /** Requests with bodies at a time. @default 64 */
  readonly maxRequests: number;
  /** Bytes of their bodies, until nothing uses them any more. @default 134217728 (128 MiB) */
  readonly maxBytes: number;
  /** Of one picture: tighter than the classifier's own, for pictures of strangers. @default 50000000 */
  readonly pixels: number;
  /** Bytes of one picture. @default 20971520 (20 MiB) */
  readonly pictureBytes: number;
  /** Width, and height, of one picture. @default 65535, as of a JPEG */
  readonly side: number;
  /** Scans of one JPEG. @default 100 */
  readonly scans: number;
  /** Segments, chunks, blocks or strips of one picture's file. @default 4096 */
  readonly chunks: number;
  /**
   * Bytes of the JSON of one inference, inflated.
   * @default 67108864 (64 MiB): 32 tensors, each value with the nine digits that float32 needs
   */
  readonly jsonBytes: number;
  /** Connections; beyond, the one that was silent longest is cut. @default 1024 */
  readonly maxConnections: number;
  /** Milliseconds to send the headers of a request, from the connection on. @default 10000 */
  readonly headersMs: number;
  /** Milliseconds to send a whole request. @default 60000 */
  readonly requestMs: number;
  /** Milliseconds to take an answer; of `/events`, what was said last. @default 60000 */
  readonly answerMs: number;
}

/** The defaults. */
export const SERVER_LIMITS: ServerLimits = {
  maxRequests: 64,
  maxBytes: 128 * 1024 * 1024,
  pixels: 50_000_000,
  pictureBytes: 20 * 1024 * 1024,
  side: 65_535,
  scans: DEFAULT_LIMITS.scans,
  chunks: DEFAULT_LIMITS.chunks,
  jsonBytes: 64 * 1024 * 1024,
  maxConnections: 1_024,
  headersMs: 10_000,
  requestMs: 60_000,
  answerMs: 60_000,
};

/** The processes in which pictures of strangers are decoded. */
export interface DecoderOptions {
  /** Processes. @default 2 */
  readonly processes: number;
  /** Milliseconds that one picture may take. @default 10000 */
  readonly timeoutMs: number;
  /** Pictures that may wait for a process. @default 64 */
  readonly maxWaiting: number;
  /** The program; tests put another in its place. @default the one of the library */
  readonly script?: URL;
}

export const LOG_LEVELS = ["silent", "error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface ResolvedServerOptions {
  /** By their names, the first first. */
  readonly classifiers: Readonly<Record<string, Classifier>>;
  /** By their names, the first first. */
  readonly generators: Generators;
  /** Undefined where there is none. */
  readonly token: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly allowHosts: readonly string[];
  /** Undefined leaves it to the network. */
  readonly timeoutMs: number | undefined;
  readonly limits: ServerLimits;
  readonly decoder: DecoderOptions;
  /** Undefined: where there is a checkpoint file. */
  readonly compare: boolean | undefined;
  readonly logLevel: LogLevel;
  readonly logTo: { write(line: string): void };
}

const CHECKS: Checks<ServerOptions> = {
  classifier: ["a classifier, or classifiers by their names", isRecord],
  generator: ["a generator, or generators by their names", isRecord],
  token: ["text", (value) => typeof value === "string", "secret"],
  host: ["an address of this machine", TEXT[1]],
  port: whole(0, 65_535),
  allowHosts: listOf(TEXT, "a list of host names"),
  timeoutMs: whole(1, Infinity, "milliseconds"),
  limits: ["an object", isRecord],
  decoder: ["an object", isRecord],
  compare: FLAG,
  logLevel: oneOf(...LOG_LEVELS),
  logTo: ["an object with write", (value) => isRecord(value) && typeof value["write"] === "function"],
};
const LIMITS = Object.fromEntries(Object.keys(SERVER_LIMITS).map((name) => [name, POSITIVE]));
const DECODER: Checks<DecoderOptions> = {
  processes: POSITIVE,
  timeoutMs: POSITIVE,
  maxWaiting: POSITIVE,
  script: ["a URL", (value) => value instanceof URL],
};

/** Fills in the defaults. @throws IsotorchError `INVALID_OPTION` for an unknown name or a bad value. */
export function resolveServerOptions(options: ServerOptions): ResolvedServerOptions {
  check(options, CHECKS);
  const { classifier, token, host = "127.0.0.1", port = 8_000, limits = {}, decoder = {} } = options;
  check(limits, LIMITS);
  check(decoder, DECODER);
  return {
    classifiers: classifiersOf(classifier, options.generator !== undefined),
    generators: generatorsOf(options.generator),
    token: token === "off" ? undefined : checkedToken(token ?? makeToken()),
    host,
    port,
    allowHosts: checkedHosts(options.allowHosts ?? [], { host, port, hasToken: token !== "off" }),
    timeoutMs: options.timeoutMs,
    limits: { ...SERVER_LIMITS, ...defined(limits) },
    decoder: { processes: 2, timeoutMs: 10_000, maxWaiting: 64, ...defined(decoder) },
    compare: options.compare,
    logLevel: options.logLevel ?? "silent",
    logTo: options.logTo ?? process.stderr,
  };
}

function classifiersOf(
  given: ServerOptions["classifier"],
  hasTexts: boolean,
): Readonly<Record<string, Classifier>> {
  if (given === undefined && hasTexts) return {};
  if (isClassifier(given)) return { [nameOf(given.info())]: given };
  const names = Object.keys(given ?? {});
  names.forEach(checkName);
  if (given !== undefined && names.length > 0 && Object.values(given).every(isClassifier)) return given;
  throw invalid(
    'Option "classifier" is no classifier, nor has any by its name.',
    "Give what `createClassifier` gave.",
  );
}

function isClassifier(value: ServerOptions["classifier"]): value is Classifier {
  return isRecord(value) && typeof value["classifyDetailed"] === "function";
}
