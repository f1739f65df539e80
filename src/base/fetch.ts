/** `fetch` by way of the proxy that the environment names; Node 20's own looks at none of the variables. */
import { shown } from "./text/shown.ts";
import { IsotorchError } from "./errors.ts";
import { PACKAGE_VERSION } from "./version.ts";

/** Who asks, in every request to the outside: some servers refuse programs that do not say it. */
export const USER_AGENT: string = `isotorch/${PACKAGE_VERSION} (Node.js ${process.versions.node}; ${process.platform})`;

const VARIABLE = /^(?:(?:https?|all)_proxy|npm_config_(?:https?_)?proxy)$/i;

/** The proxy for an address by `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case; else `undefined`. */
export async function proxyFor(url: string): Promise<URL | undefined> {
  // Without any of them, which is usual, nothing is loaded.
  if (!Object.keys(process.env).some((name) => VARIABLE.test(name) && process.env[name])) return undefined;
  const { getProxyForUrl } = await import("proxy-from-env");
  const proxy = getProxyForUrl(url);
  if (proxy === "") return undefined;
  if (URL.canParse(proxy) && /^https?:$/.test(new URL(proxy).protocol)) return new URL(proxy);
  throw new IsotorchError(
    "DOWNLOAD_FAILED",
    `The proxy for ${shown(withoutQuery(url))} is no http address: ${withoutUser(proxy)}.`,
    {
      hint: "As in HTTPS_PROXY=http://proxy.example:3128; NO_PROXY names what needs none",
    },
  );
}

/**
 * Fetches an http or https address, by way of its proxy where it has one, under a name of our own. Rejects as `fetch`
 * does.
 */
export async function fetchByProxy(url: string, asked: RequestInit): Promise<Response> {
  const proxy = await proxyFor(url);
  const headers = new Headers(asked.headers);
  if (!headers.has("user-agent")) headers.set("user-agent", USER_AGENT);
  const init = { ...asked, headers: Object.fromEntries(headers) };
  if (!proxy) return fetch(url, init);
  const undici = await import("undici");
  const dispatcher = new undici.ProxyAgent({
    uri: proxy.href,
    // A plain http address is asked of the proxy itself, which many proxies allow where they allow no tunnel.
    proxyTunnel: url.startsWith("https:"),
    keepAliveTimeout: 1,
  });
  const options = { ...init, dispatcher } as Parameters<typeof undici.fetch>[1];
  return undici.fetch(url, options).catch((cause: unknown) => {
    const error = new Error(`by way of the proxy ${withoutUser(proxy.href)}`, { cause: rootOf(cause) });
    return Promise.reject(error);
  });
}

/** What a chain of causes began with: undici wraps a proxy's refusal twice. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}

/** What may be secret in an address is in no message. */
function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** An address without its user and password. */
function withoutUser(address: string): string {
  // A password that is not escaped may hold every other sign, too.
  const [start, end] = [address.indexOf("//"), address.lastIndexOf("@")];
  const bare =
    start !== -1 && end > start ? `${address.slice(0, start)}//${address.slice(end + 1)}` : address;
  return shown(bare.replace(/\/$/, ""));
}
