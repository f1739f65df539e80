import { devNull, userInfo } from "node:os";
import nodePath from "node:path";
import { IsotorchError } from "../base/errors.ts";
import { exportKey } from "./conda/registry.ts";

/** What of the machine decides where things are found. Tests put in another machine. */
export interface Surroundings {
  /** The environment variables that are looked at. */
  readonly environ: NodeJS.ProcessEnv;
  /** @default process.platform */
  readonly platform: NodeJS.Platform;
  /** The home directory, absolute; {@link NO_HOME} for an account that has none. */
  readonly home: string;
  /** Path rules of the platform: `path.posix` or `path.win32`. */
  readonly path: typeof nodePath.posix;
  /** Interpreters that are tried before those on the PATH. */
  readonly systemPythons: readonly string[];
  /** The working directory, absolute. */
  readonly cwd: string;
  /** What `reg export KEY FILE` writes on Windows; `undefined` where the key is not there. */
  readonly registry: (key: string) => Promise<Uint8Array | undefined>;
}

/**
 * Stands for the home of an account without one, as containers start them: nothing is found in it, and nothing can be
 * made there.
 */
export const NO_HOME: string = nodePath.join(devNull, "no-home");

/** The machine that this process runs on, with what is given put over it. */
export function surroundings(over: Partial<Surroundings> = {}): Surroundings {
  const platform = over.platform ?? process.platform;
  const environ = over.environ ?? process.env;
  const path = over.path ?? (platform === "win32" ? nodePath.win32 : nodePath.posix);
  return {
    environ,
    platform,
    home: over.home ?? homeOf(environ, path),
    path,
    systemPythons:
      over.systemPythons ?? (platform === "win32" ? [] : ["/usr/bin/python3", "/usr/local/bin/python3"]),
    cwd: over.cwd ?? process.cwd(),
    registry: over.registry ?? exportKey,
  };
}

/** By the variables as Python's `expanduser` takes them, else by the account; never relative, which would depend on where one stands. */
function homeOf(environ: NodeJS.ProcessEnv, path: typeof nodePath.posix): string {
  const { HOME, USERPROFILE, HOMEDRIVE = "", HOMEPATH } = environ;
  const named = path === nodePath.win32 ? USERPROFILE || (HOMEPATH && `${HOMEDRIVE}${HOMEPATH}`) : HOME;
  if (named && path.isAbsolute(named)) return named;
  try {
    const { homedir } = userInfo();
    return path.isAbsolute(homedir) ? homedir : NO_HOME;
  } catch {
    // A user id without an entry in the system's list of users.
    return NO_HOME;
  }
}

/** The directory of isotorch's own settings: `ISOTORCH_CONFIG_DIR`, else `isotorch` in the XDG place. */
export function configDirectory({ environ, home, path }: Surroundings): string {
  if (environ["ISOTORCH_CONFIG_DIR"]) return path.resolve(environ["ISOTORCH_CONFIG_DIR"]);
  return path.join(environ["XDG_CONFIG_HOME"] || path.join(home, ".config"), "isotorch");
}

/**
 * Where environments made by `isotorch setup --via venv` live.
 *
 * @throws IsotorchError `SETUP_FAILED` for an account without a home directory.
 */
export function venvDirectory({ environ, home, path }: Surroundings): string {
  const data = environ["XDG_DATA_HOME"];
  if (!data && home === NO_HOME) {
    throw new IsotorchError("SETUP_FAILED", "This account has no home directory to make an environment in.", {
      hint: "Set HOME or XDG_DATA_HOME to a directory that can be written, or name a Python with ISOTORCH_PYTHON",
    });
  }
  return path.join(data || path.join(home, ".local", "share"), "isotorch", "venv");
}

/** How a directory for checkpoints is named, for hints. */
export const ANOTHER_DIRECTORY = "--cache-dir DIR (`cacheDir`), or the environment variable TORCH_HOME";

/**
 * Where torchvision keeps downloaded checkpoints: a file that it fetched is used here, and the other way round.
 * Method: torch.hub's `_get_torch_home`; a variable that is empty counts as one that is not set.
 * `undefined` for an account without a home directory, where no variable names another place.
 */
export function checkpointDirectory({ environ, home, path }: Surroundings): string | undefined {
  const caches = environ["XDG_CACHE_HOME"] || "~/.cache";
  const torch = environ["TORCH_HOME"] || path.join(caches, "torch");
  const isUnderHome = (path.sep === "/" ? /^~(?:\/|$)/ : /^~(?:[\\/]|$)/).test(torch);
  if (isUnderHome && home === NO_HOME) return undefined;
  return path.join(isUnderHome ? `${home}${torch.slice(1)}` : torch, "hub", "checkpoints");
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
