/** The log: one line of JSON for an event, its level a number as loggers of Node have it. */
import type { LogLevel } from "../options.ts";

const NUMBERS: Readonly<Record<LogLevel, number>> = {
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  silent: Number.POSITIVE_INFINITY,
};

export class Log {
  readonly #least: number;
  readonly #to: { write(line: string): void };

  constructor(least: LogLevel, to: { write(line: string): void }) {
    this.#least = NUMBERS[least];
    this.#to = to;
  }

  /** Writes an event of that level, where the log goes so far down. */
  write(level: Exclude<LogLevel, "silent">, message: string, fields: object = {}): void {
    if (NUMBERS[level] < this.#least) return;
    const line = { level: NUMBERS[level], time: Date.now(), ...fields, msg: message };
    this.#to.write(`${JSON.stringify(line)}\n`);
  }

  /** A failure that nobody foresaw, with where it was thrown. */
  mistake(error: unknown, fields: object = {}): void {
    const err =
      error instanceof Error
        ? { type: error.name, message: error.message, stack: error.stack }
        : { message: String(error) };
    this.write("error", "a mistake of the server", { ...fields, err });
  }
}
