/** A file to which lines are added, by one process at a time; what is killed or stopped in between costs no line. */
import { appendFileSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { IsotorchError } from "../errors.ts";
import { tryLock } from "./lock.ts";
import type { FileLock } from "./lock.ts";
import { unwritable } from "./output.ts";
import { shown } from "../text/shown.ts";

const GOES_ON = "Nothing is lost: the same command goes on behind the last whole line.";

/** The file, opened to read and to add, under its lock. */
export class LineFile {
  readonly #path: string;
  readonly #lock: FileLock;
  /** To be read, and to be cut after the last whole line. */
  readonly file: FileHandle;

  private constructor(path: string, file: FileHandle, lock: FileLock) {
    this.#path = path;
    this.file = file;
    this.#lock = lock;
  }

  /**
   * Opens the file, or makes it.
   *
   * @throws IsotorchError `INVALID_OPTION` when it cannot be there or another process writes it, `OUTPUT_FAILED` where
   * the disk takes nothing.
   */
  static async open(path: string): Promise<LineFile> {
    const lock = await tryLock(`${path}.lock`).catch((cause: unknown) => {
      throw unwritable(shown(path), cause, path);
    });
    if (lock === undefined) {
      throw new IsotorchError("INVALID_OPTION", `Another run writes ${shown(path)} at this moment.`, {
        hint: "Wait for it, or name another file. One that is stopped goes on with `fg`, or is ended with `kill`.",
      });
    }
    try {
      const facts = await stat(path).catch(() => undefined);
      if (facts !== undefined && !facts.isFile()) {
        throw new IsotorchError("INVALID_OPTION", `${shown(path)} is no regular file.`, {
          hint: "Name a file: a run that goes on later has to read what it wrote.",
        });
      }
      return new LineFile(path, await open(path, "a+"), lock);
    } catch (cause) {
      await lock.release().catch(() => {});
      throw unwritable(shown(path), cause, path);
    }
  }

  /**
   * Adds lines, whole: what is killed meanwhile leaves a torn line.
   *
   * @throws IsotorchError `OUTPUT_FAILED` where the disk takes no more, or where this process was stopped for so long that
   * another one writes the file now.
   */
  append(lines: string): void {
    // Nothing may come between the look at the lock and the write.
    if (!this.#lock.isMine()) throw this.#lost();
    try {
      appendFileSync(this.file.fd, lines);
    } catch (cause) {
      throw unwritable(shown(this.#path), cause, this.#path, GOES_ON);
    }
  }

  /** Waits until the lines are on the disk. @throws IsotorchError as {@link append}; it is closed all the same. */
  async close(): Promise<void> {
    try {
      await this.file.sync();
    } catch (cause) {
      throw unwritable(shown(this.#path), cause, this.#path, GOES_ON);
    } finally {
      await this.file.close().catch(() => {});
      await this.#lock.release().catch(() => {});
    }
  }

  #lost(): IsotorchError {
    return new IsotorchError("OUTPUT_FAILED", `Another run has taken over ${shown(this.#path)}.`, {
      hint: "This one was stopped or cut off for more than a minute, or its lock was removed. Let the other one end; then the same command goes on.",
    });
  }
}
