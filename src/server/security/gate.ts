/** Who may ask at all: looked at before any routing, so that no address can be forgotten. */
import type { IncomingHttpHeaders } from "node:http";
import { HttpProblem } from "../problem.ts";

/** Probes ask by whatever address a pod has, and learn nothing else. */
const PROBES = new Set(["/v2/health/live", "/v2/health/ready"]);

/** The router would answer broken escapes by itself, past everything that requests go through. */
function isDecodable(url: string): boolean {
  try {
    return decodeURIComponent(url.split("?", 1)[0] ?? "") !== "";
  } catch {
    return false;
  }
}

/**
 * Refuses what a foreign web page makes a browser send: a name of its own that resolves to this machine (`Host`), and
 * requests that carry its origin. A request without these headers does not come from a page of a current browser.
 */
export function refusalOf(
  headers: IncomingHttpHeaders,
  url: string | undefined,
  isAllowed: (host: string) => boolean,
): HttpProblem | undefined {
  const host = headers.host?.toLowerCase() ?? "";
  const isProbe = PROBES.has(url?.split("?", 1)[0] ?? "");
  if (!isProbe && !isAllowed(host)) {
    return new HttpProblem(
      "WRONG_HOST",
      "This server does not answer to that host name.",
      "Use the address that it printed, or start it with --allow-host HOST.",
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
