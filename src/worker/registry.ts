/** Pythons that Windows' registry knows, as their installers write them there (PEP 514). */
import type { Surroundings } from "./surroundings.ts";

const KEYS = [
  String.raw`HKCU\Software\Python`,
  String.raw`HKLM\Software\Python`,
  String.raw`HKLM\Software\WOW6432Node\Python`,
];

/** The interpreters that the registry names, in its order; none on other systems. */
export async function registeredPythons(at: Surroundings): Promise<string[]> {
  if (at.platform !== "win32") return [];
  const found: string[] = [];
  for (const key of KEYS) found.push(...pythonsIn(await at.registry(key), at));
  return [...new Set(found)];
}

/** Reads what `reg query KEY /s` prints. */
export function pythonsIn(text: string, { path }: Surroundings): string[] {
  const found: string[] = [];
  let inInstallPath = false;
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("HKEY_")) inInstallPath = /\\InstallPath\s*$/i.test(line);
    // The name of a key's default value is translated, so that only ExecutablePath can be told by its name.
    const [, name = "", value = ""] = /^\s{4}(.+?)\s{4}REG_(?:EXPAND_)?SZ\s{4}(.*?)\s*$/.exec(line) ?? [];
    if (!inInstallPath || !path.isAbsolute(value)) continue;
    if (name === "ExecutablePath") found.push(value);
    else if (/^\(.*\)$/.test(name)) found.push(path.join(value, "python.exe"));
  }
  return [...new Set(found)];
}
