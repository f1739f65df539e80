/** Pythons that Windows' registry knows, as their installers write them there (PEP 514). */
import { withoutEnd } from "../../base/text/trim.ts";
import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, type posix } from "node:path";
import { toUSVString } from "node:util";
import { messageOf } from "../../base/errors.ts";
import { runCommand } from "../command.ts";

/** What of the machine decides here. */
interface Machine {
  readonly platform: NodeJS.Platform;
  /** Path rules of the platform. */
  readonly path: typeof posix;
  /** What `reg export KEY FILE` writes; `undefined` where the key is not there. */
  readonly registry: (key: string) => Promise<Uint8Array | undefined>;
}

/** What the registry names, and what of it could not be read. */
export interface Registered {
  /** Absolute paths of interpreters, in the order of the registry. */
  readonly pythons: readonly string[];
  /** Sentences, each with the key. */
  readonly complaints: readonly string[];
}

const KEYS = [
  String.raw`HKCU\Software\Python`,
  String.raw`HKLM\Software\Python`,
  String.raw`HKLM\Software\WOW6432Node\Python`,
];
/** A `.reg` file is UTF-16 with this mark in front, whatever the code page; what is printed is in the code page. */
const MARK = "\uFEFF";
const NONE: Registered = { pythons: [], complaints: [] };

/** The interpreters that the registry names, in its order; none on other systems. */
export async function registeredPythons(at: Machine): Promise<string[]> {
  return [...(await readRegistry(at)).pythons];
}

/** The same with what could not be read. */
export async function readRegistry(at: Machine): Promise<Registered> {
  if (at.platform !== "win32") return NONE;
  const found: Registered[] = [];
  for (const key of KEYS) found.push(await readKey(key, at));
  return {
    pythons: [...new Set(found.flatMap(({ pythons }) => pythons))],
    complaints: found.flatMap(({ complaints }) => complaints),
  };
}

async function readKey(key: string, at: Machine): Promise<Registered> {
  try {
    const bytes = await at.registry(key);
    return bytes === undefined ? NONE : pythonsIn(bytes, at);
  } catch (error) {
    return { pythons: [], complaints: [`The registry's ${key} cannot be read: ${messageOf(error)}.`] };
  }
}

/** Reads what `reg export KEY FILE` writes. Rejects with what is wrong with it where it is no such file. */
export function pythonsIn(bytes: Uint8Array, { path }: Pick<Machine, "path">): Registered {
  const text = Buffer.from(bytes).toString("utf16le");
  if (!text.startsWith(MARK) || bytes.length % 2 !== 0) throw new Error("its export is not UTF-16");
  const pythons: string[] = [];
  const complaints: string[] = [];
  let key = "";
  // A long value in hexadecimal goes on after a backslash at the end of the line.
  for (const line of text.replace(/\\\r?\n\s*/g, "").split(/\r?\n/)) {
    key = /^\[(.*)\]$/.exec(line)?.[1] ?? key;
    const [, name = "", value = ""] = /^(@|"(?:[^"\\]|\\.)*")=(.*)$/.exec(line) ?? [];
    if (!/\\InstallPath$/i.test(key) || !/^(?:@|"ExecutablePath")$/i.test(name)) continue;
    const found = textOf(value);
    if (found !== undefined && toUSVString(found) !== found) {
      complaints.push(`The registry's ${toUSVString(key)} names a Python whose path is not Unicode.`);
    } else if (found !== undefined && path.isAbsolute(found)) {
      pythons.push(name === "@" ? path.join(found, "python.exe") : found);
    }
  }
  return { pythons: [...new Set(pythons)], complaints };
}

/** A value of the kinds REG_SZ (in quotes) and REG_EXPAND_SZ (`hex(2)`: UTF-16 with its end), with no variable in it. */
function textOf(value: string): string | undefined {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(value)?.[1];
  if (quoted !== undefined) return quoted.replace(/\\(.)/g, "$1");
  const hex = /^hex\(2\):([\da-f,]*)$/i.exec(value)?.[1];
  if (hex === undefined) return undefined;
  return withoutEnd(Buffer.from(hex.replaceAll(",", ""), "hex").toString("utf16le"), "\0");
}

/** What `reg export` writes of a key; `undefined` where it writes nothing, as for a key that is not there. */
export async function exportKey(key: string): Promise<Uint8Array | undefined> {
  const file = join(tmpdir(), `isotorch-${randomUUID()}.reg`);
  try {
    const { code } = await runCommand("reg.exe", ["export", key, file, "/y"], { timeoutMs: 5_000 });
    return code === 0 ? await readFile(file) : undefined;
  } finally {
    await rm(file, { force: true });
  }
}
