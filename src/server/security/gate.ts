/** Who may ask at all: looked at before any routing, so that no address can be forgotten. */
import type { IncomingHttpHeaders } from "node:http";
import { HttpProblem } from "../problem.ts";

const LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]"];

/** The exact `Host` values that this server answers to. */
export function allowedHosts(port: number, host: string, more: readonly string[]): ReadonlySet<string> {
  const named = host === "0.0.0.0" || host === "::" ? [] : [host.includes(":") ? `[${host}]` : host];
  const names = [...LOOPBACK_NAMES, ...named].flatMap((name) => withPort(name, port));
  return new Set([...names, ...more].map((name) => name.toLowerCase()));
}

/** The router would answer broken escapes by itself, past everything that requests go through. */
function isDecodable(url: string): boolean {
  try {
    return decodeURIComponent(url.split("?", 1)[0] ?? "") !== "";
  } catch {
    return false;
  }
}

function withPort(name: string, port: number): string[] {
  return port === 80 ? [name, `${name}:80`] : [`${name}:${port}`];
}

/**
 * Refuses what a foreign web page makes a browser send: a name of its own that resolves to this machine (`Host`), and
 * requests that carry its origin. A request without these headers does not come from a page of a current browser.
 */
export function refusalOf(
  headers: IncomingHttpHeaders,
  url: string | undefined,
  hosts: ReadonlySet<string>,
): HttpProblem | undefined {
  const host = headers.host?.toLowerCase() ?? "";
  if (!hosts.has(host)) {
    return new HttpProblem(
      "WRONG_HOST",
      "This server does not answer to that host name.",
      "Use the address that it printed, or start it with --allow-host NAME:PORT.",
    );
  }
  if (url === undefined || !url.startsWith("/") || !isDecodable(url)) {
    return new HttpProblem("BAD_REQUEST", "The address is not a path.", "Send a path, such as /v2.");
  }
  const { origin } = headers;
  const isForeign = origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
  const site = headers["sec-fetch-site"];
  if (isForeign || (site !== undefined && site !== "same-origin" && site !== "none")) {
    return new HttpProblem("FORBIDDEN", "Other web pages may not use this server.", "Open its own page.");
  }
  return undefined;
}
