/** Pictures that come to a folder, each once it is written whole. */
import { existsSync, readdirSync, statSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { nameOf, pathOf, shownName } from "../../base/text/names.ts";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { isPictureName } from "../../parity/eval/walk.ts";

/** A file is whole when its size and time have stayed the same for so long. */
const SETTLED_MS = 500;
/** How soon after an event the whole folder is looked through, for what no event told. */
const SCAN_MS = 1_000;
/** What each file in the folder adds to that, so that a large folder is not looked through all the time. */
const SCAN_MS_PER_FILE = 0.2;
/** Files that are asked for their size and time at once. */
const STATS_AT_ONCE = 64;

export interface WatchOptions {
  /** @default 500 */
  readonly settledMs?: number;
  /** @default 1_000 */
  readonly scanMs?: number;
  /** Where the events come from; tests lose some of them. @default node:fs */
  readonly watch?: typeof watch;
}

/**
 * Listens at once; the paths are what is iterated over, and the iteration ends when the signal fires. A file that is
 * written again comes again; what was in the folder before does not come. The folder's own folders are not watched.
 *
 * An event only says where to look first: when many files come at once, systems drop events, with or without a word.
 * After events the folder is therefore looked through, and what is new or changed comes, whoever told of it. For
 * each picture in the folder its name, size and time are remembered, as long as it is there.
 *
 * @throws IsotorchError `INPUT_NOT_FOUND`, `INPUT_UNREADABLE`.
 */
export function watchFolder(
  folder: string,
  signal: AbortSignal,
  options: WatchOptions = {},
): AsyncIterable<string> {
  const watched = new WatchedFolder(folder, signal, options);
  return watched.paths();
}

class WatchedFolder {
  readonly #folder: string;
  readonly #signal: AbortSignal;
  readonly #watch: typeof watch;
  readonly #settledMs: number;
  readonly #scanMs: number;
  /** Size and time of each picture that has come, or was there before (`undefined`: not asked for yet). */
  readonly #known = new Map<string, string | undefined>();
  /** Pictures that may still be being written. */
  readonly #restless = new Map<string, NodeJS.Timeout>();
  readonly #ready = new Set<string>();
  #watcher: FSWatcher | undefined;
  /** Which folder is listened to. */
  #identity: string | undefined;
  #scan: NodeJS.Timeout | "running" | undefined;
  #scanPauseMs: number;
  #scanAgain = false;
  #failure: IsotorchError | undefined;
  #wake = (): void => undefined;

  constructor(folder: string, signal: AbortSignal, options: WatchOptions) {
    this.#folder = folder;
    this.#signal = signal;
    this.#watch = options.watch ?? watch;
    this.#settledMs = options.settledMs ?? SETTLED_MS;
    this.#scanMs = options.scanMs ?? SCAN_MS;
    this.#scanPauseMs = this.#scanMs;
    try {
      // Before it is watched: what comes between the two is found by the first scan.
      for (const name of readdirSync(pathOf(folder), { encoding: "buffer" })
        .map(nameOf)
        .filter(isPictureName))
        this.#known.set(name, undefined);
      this.#listen();
    } catch (cause) {
      this.#fail(cause);
    }
    signal.addEventListener("abort", () => this.#stop(), { once: true });
    this.#scanIn(0);
  }

  async *paths(): AsyncGenerator<string, void, undefined> {
    for (;;) {
      const [name] = this.#ready;
      if (name !== undefined) {
        this.#ready.delete(name);
        yield join(this.#folder, name);
      } else if (this.#failure !== undefined) throw this.#failure;
      else if (this.#signal.aborted) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #listen(): void {
    this.#watcher?.close();
    this.#identity = identityOf(this.#folder);
    const options = { signal: this.#signal, encoding: "buffer" } as const;
    this.#watcher = this.#watch(pathOf(this.#folder), options, (_event, name) => this.#hear(name));
    this.#watcher.on("error", this.#fail);
  }

  #hear(bytes: Uint8Array | null): void {
    const name = bytes === null ? undefined : nameOf(bytes);
    if (name !== undefined && isPictureName(name)) this.#settle(name);
    this.#scanIn(this.#scanPauseMs);
  }

  /** Waits until a picture is whole; what it is told of one that it waits for already changes nothing. */
  #settle(name: string): void {
    if (!this.#restless.has(name)) this.#lookIn(0, name, undefined);
  }

  #lookIn(ms: number, name: string, before: string | undefined): void {
    this.#restless.set(
      name,
      setTimeout(() => void this.#look(name, before), ms),
    );
  }

  async #look(name: string, before: string | undefined): Promise<void> {
    const now = await stampOf(join(this.#folder, name));
    if (this.#signal.aborted) return;
    if (now !== undefined && now !== "gone" && now !== before) {
      this.#lookIn(this.#settledMs, name, now);
      return;
    }
    this.#restless.delete(name);
    if (now === "gone") this.#known.delete(name);
    if (now === undefined || now === "gone" || this.#known.get(name) === now) return;
    this.#known.set(name, now);
    this.#ready.add(name);
    this.#wake();
  }

  /** Looks through the folder in so many milliseconds, or earlier where that is planned. */
  #scanIn(ms: number): void {
    if (this.#signal.aborted || this.#failure !== undefined) return;
    if (this.#scan === "running") this.#scanAgain = true;
    this.#scan ??= setTimeout(() => void this.#scanNow().catch(this.#fail), ms);
  }

  async #scanNow(): Promise<void> {
    this.#scan = "running";
    this.#scanAgain = false;
    const before = new Map(this.#known);
    // One that was made again in its place, or moved there, has events of its own.
    if (identityOf(this.#folder) !== this.#identity) this.#listen();
    const names = (await readdir(pathOf(this.#folder), { encoding: "buffer" }))
      .map(nameOf)
      .filter(isPictureName);
    for (let at = 0; at < names.length && !this.#signal.aborted; at += STATS_AT_ONCE)
      await Promise.all(names.slice(at, at + STATS_AT_ONCE).map(async (name) => this.#compare(name)));
    const there = new Set(names);
    // One that came back meanwhile has another stamp.
    for (const [name, stamp] of before)
      if (!there.has(name) && this.#known.get(name) === stamp) this.#known.delete(name);
    this.#scan = undefined;
    this.#scanPauseMs = this.#scanMs + SCAN_MS_PER_FILE * names.length;
    if (this.#scanAgain) this.#scanIn(this.#scanPauseMs);
  }

  /** What a scan sees of one picture: nothing new, its first size and time, or that it has to be looked at. */
  async #compare(name: string): Promise<void> {
    const now = await stampOf(join(this.#folder, name));
    if (this.#signal.aborted || this.#restless.has(name)) return;
    const isOld = this.#known.has(name) && this.#known.get(name) === undefined;
    // An empty one is new once there is something in it.
    if (now === undefined || now === "gone") return void (isOld && this.#known.delete(name));
    if (isOld) this.#known.set(name, now);
    else if (this.#known.get(name) !== now) this.#settle(name);
  }

  #stop(): void {
    for (const timer of this.#restless.values()) clearTimeout(timer);
    if (this.#scan !== "running") clearTimeout(this.#scan);
    this.#wake();
  }

  readonly #fail = (cause: unknown): void => {
    // Windows says EPERM of a folder that it has just removed.
    const isGone = !existsSync(pathOf(this.#folder));
    const message = `The folder ${shownName(this.#folder)} cannot be watched: ${messageOf(cause)}`;
    this.#failure ??= new IsotorchError(isGone ? "INPUT_NOT_FOUND" : "INPUT_UNREADABLE", message, { cause });
    this.#wake();
  };
}

/** Which folder it is that has this name now; a new one may get the number of the old. Throws the file system's error. */
function identityOf(folder: string): string {
  const { dev, ino, birthtimeNs } = statSync(pathOf(folder), { bigint: true });
  return `${dev} ${ino} ${birthtimeNs}`;
}

/** Size and time of a regular file with something in it; `undefined` for anything else. */
async function stampOf(path: string): Promise<string | undefined> {
  try {
    const facts = await stat(pathOf(path), { bigint: true });
    return facts.isFile() && facts.size > 0n ? `${facts.size} ${facts.mtimeNs}` : undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "gone" : undefined;
  }
}
