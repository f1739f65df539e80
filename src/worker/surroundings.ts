import { homedir } from "node:os";
import nodePath from "node:path";
import { exportKey } from "./registry.ts";

/** What of the machine decides where things are found. Tests put in another machine. */
export interface Surroundings {
  /** The environment variables that are looked at. */
  readonly environ: NodeJS.ProcessEnv;
  /** @default process.platform */
  readonly platform: NodeJS.Platform;
  /** The home directory, absolute. */
  readonly home: string;
  /** Path rules of the platform: `path.posix` or `path.win32`. */
  readonly path: nodePath.PlatformPath;
  /** Interpreters that are tried before those on the PATH. */
  readonly systemPythons: readonly string[];
  /** The working directory, absolute. */
  readonly cwd: string;
  /** What `reg export KEY FILE` writes on Windows; `undefined` where the key is not there. */
  readonly registry: (key: string) => Promise<Uint8Array | undefined>;
}

/** The machine that this process runs on, with what is given put over it. */
export function surroundings(over: Partial<Surroundings> = {}): Surroundings {
  const platform = over.platform ?? process.platform;
  const environ = over.environ ?? process.env;
  return {
    environ,
    platform,
    home: over.home ?? homeOf(platform, environ),
    path: over.path ?? (platform === "win32" ? nodePath.win32 : nodePath.posix),
    systemPythons:
      over.systemPythons ?? (platform === "win32" ? [] : ["/usr/bin/python3", "/usr/local/bin/python3"]),
    cwd: over.cwd ?? process.cwd(),
    registry: over.registry ?? exportKey,
  };
}

/** The home directory as Python's `expanduser` finds it: Windows knows no `HOME`, even where a shell sets one. */
function homeOf(platform: NodeJS.Platform, environ: NodeJS.ProcessEnv): string {
  if (platform !== "win32") return environ["HOME"] || homedir();
  const { USERPROFILE: profile, HOMEDRIVE: drive = "", HOMEPATH: folder } = environ;
  return profile || (folder ? `${drive}${folder}` : homedir());
}

/** The directory of isotorch's own settings: `ISOTORCH_CONFIG_DIR`, else `isotorch` in the XDG place. */
export function configDirectory({ environ, home, path }: Surroundings): string {
  if (environ["ISOTORCH_CONFIG_DIR"]) return path.resolve(environ["ISOTORCH_CONFIG_DIR"]);
  return path.join(environ["XDG_CONFIG_HOME"] || path.join(home, ".config"), "isotorch");
}

/** Where environments made by `isotorch setup --via venv` live. */
export function venvDirectory({ environ, home, path }: Surroundings): string {
  return path.join(environ["XDG_DATA_HOME"] || path.join(home, ".local", "share"), "isotorch", "venv");
}

/**
 * Where torchvision keeps downloaded checkpoints: a file that it fetched is used here, and the other way round.
 * Method: torch.hub's `_get_torch_home`; a variable that is empty counts as one that is not set.
 */
export function checkpointDirectory({ environ, home, path }: Surroundings): string {
  const caches = environ["XDG_CACHE_HOME"] || "~/.cache";
  const torch = environ["TORCH_HOME"] || path.join(caches, "torch");
  const expanded = torch.replace(path.sep === "/" ? /^~(?=\/|$)/ : /^~(?=[\\/]|$)/, () => home);
  return path.join(expanded, "hub", "checkpoints");
}

/** The value of `PATH`, whose name Windows spells as it likes. */
export function searchPath(environ: NodeJS.ProcessEnv): { readonly name: string; readonly value: string } {
  const name = Object.keys(environ).find((key) => key.toUpperCase() === "PATH") ?? "PATH";
  return { name, value: environ[name] ?? "" };
}

/** The absolute directories on the PATH, in order. Relative ones are left out: they depend on where one stands. */
export function searchDirectories({ environ, path }: Surroundings): string[] {
  return searchPath(environ)
    .value.split(path.delimiter)
    .map((entry) => entry.replace(/^"(.*)"$/, "$1"))
    .filter((entry) => path.isAbsolute(entry));
}
