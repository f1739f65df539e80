/** The `envs_dirs` of conda's configuration, read from the places that conda reads. */
import { readdir, readFile } from "node:fs/promises";
import { hasCode } from "../../base/files/files.ts";
import type { Surroundings } from "../surroundings.ts";

/**
 * The directories in which the configuration has environments, the most important first: the variables, then the files
 * from `$CONDARC` down to the system's.
 *
 * @param roots absolute directories of installations, which have configurations of their own.
 */
export async function configuredFolders(roots: readonly string[], at: Surroundings): Promise<string[]> {
  const files = configurationFiles(roots, at);
  const texts = await Promise.all(files.map((file) => textsOf(file, at)));
  const inFiles = texts.flat().flatMap(foldersInCondarc);
  return [...inVariables(at), ...inFiles]
    .map((folder) => expanded(folder, at))
    .filter((folder) => at.path.isAbsolute(folder));
}

function inVariables({ environ, path }: Surroundings): string[] {
  return ["CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"].flatMap((name) =>
    (environ[name] ?? "").split(path.delimiter),
  );
}

/** Files and directories of files; what comes first wins. mamba and micromamba have a file of their own. */
function configurationFiles(
  roots: readonly string[],
  { environ, home, platform, path }: Surroundings,
): string[] {
  const inFolder = (folder: string): string[] =>
    ["condarc.d", "condarc", ".condarc"].map((name) => path.join(folder, name));
  const system =
    platform === "win32"
      ? [path.join(environ["ProgramData"] ?? "C:\\ProgramData", "conda")]
      : ["/var/lib/conda", "/etc/conda"];
  const xdg = environ["XDG_CONFIG_HOME"];
  const prefix = environ["CONDA_PREFIX"];
  return [
    ...[environ["CONDARC"], environ["MAMBARC"]].filter((file): file is string => !!file),
    ...(prefix ? inFolder(prefix) : []),
    path.join(home, ".condarc"),
    path.join(home, ".mambarc"),
    ...inFolder(path.join(home, ".conda")),
    ...inFolder(path.join(home, ".config", "conda")),
    ...(xdg ? inFolder(path.join(xdg, "conda")) : []),
    ...roots.flatMap((root) => [...inFolder(root), path.join(root, ".mambarc")]),
    ...system.flatMap(inFolder),
  ];
}

/** The text of a file, or of each `.yml` and `.yaml` in a directory. */
async function textsOf(place: string, { path }: Surroundings): Promise<string[]> {
  const text = await readFile(place, "utf8").catch((error: unknown) =>
    hasCode(error, "EISDIR") ? undefined : "",
  );
  if (text !== undefined) return [text];
  const names = await readdir(place).catch((): string[] => []);
  const files = names.filter((name) => /\.ya?ml$/.test(name)).toSorted();
  return Promise.all(files.map((name) => readFile(path.join(place, name), "utf8").catch(() => "")));
}

/** The items of the YAML list `envs_dirs`, which older files call `envs_path`, in its block form or between brackets. */
export function foldersInCondarc(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const start = lines.findIndex((line) => /^(["']?)envs_(?:dirs|path)\1\s*:/.test(line));
  if (start === -1) return [];
  const value = uncommented((lines[start] ?? "").replace(/^[^:]*:/, ""));
  if (value.startsWith("["))
    return inBrackets([value, ...lines.slice(start + 1).map(uncommented)].join("\n"));
  const items: string[] = [];
  for (const line of lines.slice(start + 1).map(uncommented)) {
    if (line === "") continue;
    const item = /^-\s+(\S.*)$/.exec(line)?.[1];
    if (item === undefined) break;
    items.push(unquoted(item));
  }
  return items;
}

/** A line without the comment at its end, such as `#!final`, and without the space around it. */
function uncommented(line: string): string {
  let quote = "";
  for (let place = 0; place < line.length; place += 1) {
    const letter = line[place] ?? "";
    const isAfterSpace = place === 0 || /[\s,[]/.test(line[place - 1] ?? "");
    if (quote !== "") {
      if (quote === '"' && letter === "\\") place += 1;
      else if (letter === quote) quote = "";
    } else if (isAfterSpace && (letter === '"' || letter === "'")) {
      quote = letter;
    } else if (isAfterSpace && letter === "#") {
      return line.slice(0, place).trim();
    }
  }
  return line.trim();
}

/** The items between a bracket at the start and the one that closes it. */
function inBrackets(text: string): string[] {
  const items = [""];
  let quote = "";
  for (let place = 1; place < text.length; place += 1) {
    const letter = text[place] ?? "";
    const item = items.pop() ?? "";
    const isEscape = quote === '"' && letter === "\\";
    if (quote === "" && letter === "]") {
      return [...items, item].map((found) => unquoted(found.trim())).filter((found) => found !== "");
    }
    if (quote === "" && letter === ",") {
      items.push(item, "");
      continue;
    }
    items.push(item + letter + (isEscape ? (text[place + 1] ?? "") : ""));
    if (isEscape) place += 1;
    else if (letter === quote) quote = "";
    else if (quote === "" && /^["']$/.test(letter) && item.trim() === "") quote = letter;
  }
  return [];
}

function unquoted(item: string): string {
  if (/^".*"$/.test(item)) return item.slice(1, -1).replaceAll(/\\(.)/g, "$1");
  return /^'.*'$/.test(item) ? item.slice(1, -1).replaceAll("''", "'") : item;
}

/** With `~` and variables as conda expands them. What names no variable stays as it is. */
function expanded(folder: string, { environ, home, platform }: Surroundings): string {
  const value = (name: string): string | undefined => {
    if (platform !== "win32") return environ[name];
    const key = Object.keys(environ).find((other) => other.toUpperCase() === name.toUpperCase());
    return key === undefined ? undefined : environ[key];
  };
  return folder
    .replace(/^~(?=[\\/]|$)/, () => home)
    .replaceAll(
      /\$(?:(\w+)|\{([^}$]*)\})/g,
      (whole, plain?: string, braced?: string) => value(plain ?? braced ?? "") ?? whole,
    )
    .replaceAll(/%([^%]+)%/g, (whole, name: string) =>
      platform === "win32" ? (value(name) ?? whole) : whole,
    );
}
