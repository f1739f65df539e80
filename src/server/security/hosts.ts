/** Which values of the `Host` header are answered: exact names, and patterns of them. */
import { isIPv4, isIPv6 } from "node:net";
import type { IsotorchError } from "../../base/errors.ts";
import { invalid } from "../../base/options/check.ts";
import { shownValue } from "../../base/text/shown.ts";

const LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]"];
const HINT =
  "Such as gpu.lan:8000, gpu.lan (any port), *.svc.cluster.local, 10.* (addresses), or * where there is a token.";

/** A host without its port, which is undefined where none was given. */
interface Address {
  readonly name: string;
  readonly port: string | undefined;
}

interface Pattern extends Address {
  readonly given: string;
}

/**
 * Patterns as options have them, checked: one that could match nothing, or nothing new, is a mistake of whoever gave it.
 *
 * @throws IsotorchError `INVALID_OPTION`
 */
export function checkedHosts(
  given: readonly string[],
  { host, port, hasToken }: { readonly host: string; readonly port: number; readonly hasToken: boolean },
): readonly string[] {
  const patterns = given.map(patternOf);
  const isOwn = hostCheck(port, host, []);
  for (const [at, pattern] of patterns.entries()) {
    if (pattern.name === "*" && !hasToken) {
      throw refused(pattern.given, "lets every web page in, as there is no token");
    }
    if (isOwn(pattern.given)) throw refused(pattern.given, "does nothing: the server answers to it anyway");
    const other = patterns.find(
      (candidate, place) =>
        place !== at && covers(candidate, pattern) && (place < at || !covers(pattern, candidate)),
    );
    if (other !== undefined) {
      throw refused(pattern.given, `does nothing: ${shownValue(other.given, 80)} is allowed already`);
    }
  }
  return given;
}

/** Whether a `Host` header is one that this server answers to. */
export function hostCheck(
  port: number,
  host: string,
  allowed: readonly string[],
): (header: string) => boolean {
  const named = host === "0.0.0.0" || host === "::" ? [] : [host.includes(":") ? `[${host}]` : host];
  const own = new Set([...LOOPBACK_NAMES, ...named].flatMap((name) => withPort(name.toLowerCase(), port)));
  const patterns = allowed.map(patternOf);
  return (header) => {
    const value = header.toLowerCase();
    if (own.has(value)) return true;
    const address = addressOf(value);
    return address !== undefined && patterns.some((pattern) => matches(pattern, address));
  };
}

function withPort(name: string, port: number): string[] {
  return port === 80 ? [name, `${name}:80`] : [`${name}:${port}`];
}

/** @throws IsotorchError `INVALID_OPTION` for what no `Host` header looks like. */
function patternOf(given: string): Pattern {
  const address = addressOf(given.toLowerCase());
  const isKnown = address !== undefined && (isName(address.name) || isWildcard(address.name));
  if (!isKnown) throw refused(given, "is no host, no host with a port, and no pattern of them");
  return { ...address, given };
}

/** Name and port; a name may end with a dot, as full names do, and means the same. */
function addressOf(value: string): Address | undefined {
  const [, name = "", port] = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(value) ?? [];
  if (name === "" || (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))) return undefined;
  return { name: name.length > 1 && name.endsWith(".") ? name.slice(0, -1) : name, port };
}

function isName(name: string): boolean {
  if (name.startsWith("[")) return isIPv6(name.slice(1, -1));
  return name.length <= 253 && name.split(".").every((label) => /^[a-z\d_-]{1,63}$/.test(label));
}

/** `*`, `*.name`, the start of an address of version 4 as `10.*`, or of version 6 as `[fd00:*]`. */
function isWildcard(name: string): boolean {
  if (name === "*") return true;
  if (name.startsWith("*.")) return isName(name.slice(2));
  if (name.startsWith("[")) return /^\[[\da-f]{1,4}(?::[\da-f]{1,4}){0,6}:\*\]$/.test(name);
  return isIPv4(start4(name));
}

/** `10.1.*` as 10.1.0.0, to see whether an address can begin so. */
function start4(name: string): string {
  const numbers = name.endsWith(".*") ? name.slice(0, -2).split(".") : [];
  return numbers.length === 0 || numbers.length > 3 ? "" : [...numbers, "0", "0", "0"].slice(0, 4).join(".");
}

function matches(pattern: Pattern, { name, port }: Address): boolean {
  if (pattern.port !== undefined && pattern.port !== (port ?? "80")) return false;
  const { name: wanted } = pattern;
  if (wanted === "*" || wanted === name) return true;
  if (wanted.startsWith("*.")) return name.endsWith(wanted.slice(1)) && isName(name.replaceAll("*", "x"));
  // A name such as 10.evil.example begins like an address and is none.
  if (wanted.startsWith("[")) {
    return wanted.endsWith("*]") && name.startsWith(wanted.slice(0, -2)) && isIPv6(name.slice(1, -1));
  }
  const isAddress = isIPv4(name) || isIPv4(start4(name));
  return isAddress && wanted.endsWith(".*") && name.startsWith(wanted.slice(0, -1));
}

/** Whether every host of the second pattern is one of the first. */
function covers(first: Pattern, second: Pattern): boolean {
  return first.port === undefined
    ? matches(first, second)
    : second.port !== undefined && matches(first, second);
}

function refused(given: string, why: string): IsotorchError {
  return invalid(`The allowed host ${shownValue(given, 80)} ${why}.`, HINT);
}
