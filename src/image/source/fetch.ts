import { fetchByProxy } from "../../base/fetch.ts";
import { excerpt } from "../../base/text/shown.ts";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { base64Bytes } from "./data-url.ts";
import { type Bounds, readStreamBounded, throwIfAborted, throwIfTooLarge, unreadable } from "./bounded.ts";

const MAX_REDIRECTS = 5;

/**
 * Fetches an http, https or data URL.
 *
 * @throws IsotorchError `INPUT_UNREADABLE`, `INPUT_TOO_LARGE`, `ABORTED`.
 */
export async function fetchBounded(url: URL, bounds: Bounds): Promise<Uint8Array> {
  const name = shown(url);
  if (hasCredentials(url)) {
    throw new IsotorchError("INVALID_INPUT", `${name} has a user or a password in its address`, {
      hint: "fetch it yourself, and hand over the bytes",
    });
  }
  if (url.protocol === "data:") {
    // Percent-encoding triples a byte, the media type comes on top.
    throwIfTooLarge(url.href.length, bounds.maxBytes * 3 + 1024, name);
    const bytes = contentOf(url, name);
    if (bytes !== undefined) {
      throwIfTooLarge(bytes.length, bounds.maxBytes, name);
      return bytes;
    }
  }
  const response = await follow(url, name, bounds.signal);
  if (!response.ok) {
    await discard(response);
    throw new IsotorchError(
      "INPUT_UNREADABLE",
      `${name} answered ${response.status} ${excerpt(response.statusText)}`.trimEnd(),
      {
        hint: "open the address in a browser: it must give the picture itself",
      },
    );
  }
  const declared = Number(response.headers.get("content-length") ?? 0);
  if (declared > bounds.maxBytes) await discard(response);
  throwIfTooLarge(declared, bounds.maxBytes, name);
  return response.body ? readStreamBounded(response.body, name, bounds) : new Uint8Array();
}

function contentOf(url: URL, name: string): Uint8Array | undefined {
  try {
    return base64Bytes(url);
  } catch (cause) {
    throw unreadable(name, cause);
  }
}

async function follow(start: URL, name: string, signal: AbortSignal | undefined): Promise<Response> {
  let url = start;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    throwIfAborted(signal);
    const response = await request(url, name, signal);
    const location =
      response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
    if (location === null) return response;
    await discard(response);
    if (!URL.canParse(location, url.href))
      throw unreadable(name, new Error("it redirects to no valid address"));
    url = new URL(location, url);
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      throw unreadable(name, new Error(`it redirects to ${excerpt(url.protocol)}`));
    }
    if (hasCredentials(url))
      throw unreadable(name, new Error("it redirects to an address with a user or a password"));
  }
  throw unreadable(name, new Error(`it redirects more than ${MAX_REDIRECTS} times`));
}

async function request(url: URL, name: string, signal: AbortSignal | undefined): Promise<Response> {
  try {
    const options: RequestInit = { redirect: "manual", ...(signal && { signal }) };
    return await (url.protocol === "data:" ? fetch(url, options) : fetchByProxy(url.href, options));
  } catch (cause) {
    throwIfAborted(signal);
    if (cause instanceof IsotorchError) throw unreadable(name, cause);
    throw unreadable(name, new Error(reasonOf(cause), { cause }));
  }
}

/** `fetch` says only "fetch failed", and what happened is in its cause; by way of a proxy both matter. */
function reasonOf(cause: unknown): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? messageOf(cause.cause) : "";
  const outer = messageOf(cause);
  if (inner === "") return outer || "connection failed";
  return outer.startsWith("by way of") ? `${inner}, ${outer}` : inner;
}

async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

/** The address without what may be secret or endless: user, password, query; the content of a data URL. */
function shown(url: URL): string {
  return url.protocol === "data:" ? "the data URL" : excerpt(`${url.origin}${url.pathname}`);
}

/** Such an address would come back in the errors of `fetch`, password and all. */
function hasCredentials({ username, password }: URL): boolean {
  return username !== "" || password !== "";
}
