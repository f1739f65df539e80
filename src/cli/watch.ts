/** Pictures that come to a folder, each once it is written whole. */
import { watch } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { IsotorchError, messageOf } from "../errors.ts";
import { isPictureName } from "../parity/walk.ts";

/** A file is whole when its size and time have stayed the same for so long. */
const SETTLED_MS = 500;
/** How many answered files are remembered, so that a change of a file's rights is no new picture. */
const REMEMBERED = 10_000;

export interface WatchOptions {
  /** @default 500 */
  readonly settledMs?: number;
}

/**
 * Listens at once; the paths are what is iterated over, and the iteration ends when the signal fires. A file that is
 * written again comes again. The folder's own folders are not watched.
 *
 * @throws IsotorchError `INPUT_NOT_FOUND`, `INPUT_UNREADABLE`.
 */
export function watchFolder(
  folder: string,
  signal: AbortSignal,
  { settledMs = SETTLED_MS }: WatchOptions = {},
): AsyncIterable<string> {
  const ready: string[] = [];
  const restless = new Map<string, NodeJS.Timeout>();
  const answered = new Map<string, string>();
  let failure: IsotorchError | undefined;
  let wake = (): void => undefined;

  const look = async (path: string, before: string | undefined): Promise<void> => {
    const now = await stampOf(path);
    if (signal.aborted || now === undefined) return void restless.delete(path);
    if (now !== before) return settle(path, now);
    restless.delete(path);
    if (answered.get(path) === now) return;
    answered.delete(path);
    answered.set(path, now);
    const [oldest] = answered.keys();
    if (answered.size > REMEMBERED && oldest !== undefined) answered.delete(oldest);
    ready.push(path);
    wake();
  };
  const settle = (path: string, before: string | undefined): void => {
    clearTimeout(restless.get(path));
    restless.set(
      path,
      setTimeout(() => void look(path, before), before === undefined ? 0 : settledMs),
    );
  };
  const fail = (cause: unknown): void => {
    const isGone = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const message = `The folder ${folder} cannot be watched: ${messageOf(cause)}`;
    failure = new IsotorchError(isGone ? "INPUT_NOT_FOUND" : "INPUT_UNREADABLE", message, { cause });
    wake();
  };
  try {
    const watcher = watch(folder, { signal }, (_event, name) => {
      if (name === null || !isPictureName(name)) return void stat(folder).catch(fail); // it may be gone itself
      const path = join(folder, name);
      if (!restless.has(path)) settle(path, undefined);
    });
    watcher.on("error", fail);
  } catch (cause) {
    fail(cause);
  }
  signal.addEventListener("abort", () => {
    for (const timer of restless.values()) clearTimeout(timer);
    wake();
  });

  return (async function* () {
    for (;;) {
      const path = ready.shift();
      if (path !== undefined) yield path;
      else if (failure !== undefined) throw failure;
      else if (signal.aborted) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  })();
}

/** Size and time of a regular file with something in it. */
async function stampOf(path: string): Promise<string | undefined> {
  const facts = await stat(path, { bigint: true }).catch(() => undefined);
  return facts?.isFile() === true && facts.size > 0n ? `${facts.size} ${facts.mtimeNs}` : undefined;
}
