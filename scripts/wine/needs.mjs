// What has to be on this machine before a Wine prefix can be made.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { Lacking, run, tell } from "./run.mjs";

/** Programs, and the Debian packages that have them. */
const PROGRAMS = {
  wine: "wine",
  wineboot: "wine",
  wineserver: "wine",
  "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64-win32",
  unzip: "unzip",
  localedef: "libc-bin",
  script: "bsdutils",
  python3: "python3-venv",
};
/** A 64-bit Wine, and the sources of locales, are packages without a program of their own. */
const FILES = { "/usr/lib/wine/wine64": "wine64", "/usr/share/i18n/locales/zh_CN": "locales" };

/** Installs what is missing by apt-get as root, and nothing as anybody else. @throws Lacking */
export function bringPrograms() {
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Lacking("it runs on x86-64 Linux alone");
  const missing = missingPackages();
  if (missing.length === 0) return;
  const names = missing.join(" ");
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get"))
    throw new Lacking(`not installed: ${names}; as root on Debian: apt-get install ${names}`);
  tell(`Installing by apt-get, as root: ${names}`);
  try {
    const wait = ["-o", "DPkg::Lock::Timeout=300"];
    run("apt-get", [...wait, "update"]);
    run("apt-get", [...wait, "install", "-y", "--no-install-recommends", ...missing]);
  } catch (error) {
    throw new Lacking(`apt-get could not install ${names} (${error.message.split("\n")[0]})`);
  }
}

function missingPackages() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const isThere = (program) => folders.some((folder) => existsSync(join(folder, program)));
  return [
    ...new Set([
      ...Object.keys(FILES)
        .filter((file) => !existsSync(file))
        .map((file) => FILES[file]),
      ...Object.keys(PROGRAMS)
        .filter((program) => !isThere(program))
        .map((program) => PROGRAMS[program]),
    ]),
  ];
}
