/** The option `remote`: what it takes, and in one shape with its defaults filled in and its addresses checked. */
import { withoutEnd } from "../base/text/trim.ts";
import { shownValue } from "../base/text/shown.ts";
import type { IsotorchError } from "../base/errors.ts";
import { type Checks, TEXT, either, fits, invalid, listOf, whole } from "../base/options/check.ts";

/** Servers that hold the network. */
export interface RemoteOptions {
  /** Addresses of Open Inference Protocol v2 servers, `http:` or `https:`, all with the same network. */
  readonly url: string | readonly string[];
  /** Sent to each of them as `Authorization: Bearer TOKEN`. */
  readonly token?: string;
  /**
   * The model's name at the server.
   * @default "resnet101"
   */
  readonly model?: string;
  /** Its version at the server. @default the server's choice */
  readonly version?: string;
  /**
   * Calls at each server at a time, each on a connection of its own.
   * @default 16
   */
  readonly connections?: number;
  /**
   * Further tries of a call that failed in a way that another try may mend; all calls together make one for ten calls.
   * @default 3
   */
  readonly retries?: number;
  /**
   * How often each server is asked whether it is ready, milliseconds.
   * @default 5000
   */
  readonly probeMs?: number;
  /**
   * While no server answers, calls wait so long for one to come back; then they fail at once, milliseconds.
   * @default 15000
   */
  readonly patienceMs?: number;
}

/** Options that a server has chosen already. */
export const WORKER_OPTIONS = [
  "model",
  "checkpointKey",
  "weights",
  "sha256",
  "trustCheckpoint",
  "device",
  "workers",
  "precision",
  "threads",
  "batch",
  "python",
  "env",
  "cacheDir",
  "supervision",
] as const;

const URLS = either(TEXT, listOf(TEXT, "a list of them", 1));
const CHECKS: Checks<RemoteOptions> = {
  url: URLS,
  token: ["printable ASCII", (value) => typeof value === "string" && /^[\x21-\x7e]+$/.test(value), "secret"],
  model: TEXT,
  version: TEXT,
  connections: whole(1, 1_024),
  retries: whole(0, 10),
  probeMs: whole(100, 3_600_000),
  patienceMs: whole(0, 3_600_000),
};

/** Whether a value can be the option `remote`. */
export function isRemote(value: unknown): value is string | readonly string[] | RemoteOptions {
  return URLS[1](value) || (fits(value, CHECKS) && (value as Partial<RemoteOptions>).url !== undefined);
}

export interface RemoteSettings {
  /** Without a slash at the end. */
  readonly urls: readonly string[];
  readonly token: string | undefined;
  readonly model: string;
  readonly version: string | undefined;
  readonly connections: number;
  readonly retries: number;
  readonly probeMs: number;
  readonly patienceMs: number;
}

/** @throws IsotorchError `INVALID_OPTION` for an address that is none. */
export function remoteSettings(remote: string | readonly string[] | RemoteOptions): RemoteSettings {
  const options: RemoteOptions = isOptions(remote) ? remote : { url: remote };
  const { url, token, model = "resnet101", version } = options;
  const { connections = 16, retries = 3, probeMs = 5_000, patienceMs = 15_000 } = options;
  const urls = [url].flat().map(checkedUrl);
  if (new Set(urls).size < urls.length) throw unusable("one address is there twice");
  return { urls, token, model, version, connections, retries, probeMs, patienceMs };
}

function isOptions(remote: string | readonly string[] | RemoteOptions): remote is RemoteOptions {
  return typeof remote === "object" && !Array.isArray(remote);
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw unusable(`${shownValue(text)} is no http: or https: address`);
  }
  // Addresses appear in `info()` and in messages, where no secret may be.
  if (url.username !== "" || url.password !== "") throw unusable("an address holds a password");
  if (url.search !== "" || url.hash !== "") throw unusable(`${shownValue(text)} has more than a path`);
  return withoutEnd(url.href, "/");
}

function unusable(why: string): IsotorchError {
  return invalid(
    `Option "remote" cannot be used: ${why}.`,
    'Give it as "http://127.0.0.1:8000", and the token as { url, token }.',
  );
}
