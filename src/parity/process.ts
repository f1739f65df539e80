/** A reference's process, whatever it computes: lines of JSON in, lines of JSON with raw bytes behind them out. */
import { fileURLToPath } from "node:url";
import { Child } from "../base/child.ts";
import { ERROR_CODES, IsotorchError } from "../base/errors.ts";
import type { IsotorchErrorCode } from "../base/errors.ts";
import { isRecord } from "../base/files/json.ts";
import { endText } from "../base/status.ts";
import { recordIn } from "../python/answer.ts";
import { scriptArguments } from "../python/script.ts";
import { arrayFromBytes, byteLengthOf } from "./compare/array.ts";
import type { StageArray } from "./compare/array.ts";
import { ByteReader } from "./golden/byte-reader.ts";

export interface ReferenceCall {
  /** Its name in `python/`: it is run as a file, and imports nothing of this package. */
  readonly script: string;
  readonly python: string;
  /** Environment variables to set for it, over the present ones: conda's activation. */
  readonly variables?: Readonly<Record<string, string>>;
  /** What is undefined is not said. */
  readonly flags: Readonly<Record<string, string | number | undefined>>;
  /** What its interpreter needs, for the hint. */
  readonly needs: string;
  /** Ends the process. */
  readonly signal?: AbortSignal;
}

export type ReferenceHeader = Readonly<Record<string, unknown>>;

const POLITE_EXIT_MS = 3_000;
const WAITS = { OMP_WAIT_POLICY: "PASSIVE", GOMP_SPINCOUNT: "3000" };

/** One long-lived process; whoever has it asks for one thing after the other. */
export class ReferenceProcess {
  readonly #child: Child<"pipes">;
  readonly #reader: ByteReader;

  /**
   * @returns the process with what it said when it was ready.
   * @throws IsotorchError what the interpreter lacks, or why the checkpoint or device was refused.
   */
  static async start(
    call: ReferenceCall,
  ): Promise<{ readonly process: ReferenceProcess; readonly ready: ReferenceHeader }> {
    const process = new ReferenceProcess(call);
    try {
      const { ready, fatal } = await process.readHeader();
      if (isRecord(fatal)) throw refusedStart(fatal, call);
      return { process, ready: isRecord(ready) ? ready : {} };
    } catch (error) {
      await process.end();
      throw error;
    }
  }

  private constructor({ script, python, variables, flags, signal }: ReferenceCall) {
    const path = fileURLToPath(new URL(`../../python/${script}`, import.meta.url));
    this.#child = Child.start("pipes", python, scriptArguments(path, ...wordsOf(flags)), {
      // It waits as the worker does: threads that spin at barriers take the cores from whoever computes beside it.
      env: { ...WAITS, ...process.env, ...variables },
      ...(signal && { signal }),
    });
    this.#reader = new ByteReader(this.#child.stdout);
  }

  write(request: object): void {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
  }

  async readHeader(): Promise<ReferenceHeader> {
    const printed = recordIn(await this.#orDied(this.#reader.line()));
    if (printed.record) return printed.record;
    throw new IsotorchError("PROTOCOL_ERROR", `The reference process answered wrongly: ${printed.broken}.`, {
      stderr: this.#child.words.text,
      hint: "Something in this Python writes into its output; `isotorch doctor` looks at it",
    });
  }

  /** The arrays that a header announced, one after the other as they are asked for. All of them must be read. */
  async *readArrays({ stages }: ReferenceHeader): AsyncGenerator<readonly [name: string, array: StageArray]> {
    const announced: unknown[] = Array.isArray(stages) ? stages : [];
    for (const stage of announced) {
      const { name, dtype, shape } = isRecord(stage) ? stage : {};
      const bytes = await this.#orDied(this.#reader.bytes(byteLengthOf(dtype, shape)));
      yield [String(name), arrayFromBytes(dtype, shape, bytes)];
    }
  }

  /** Idempotent. Resolves once it is gone. */
  async end(): Promise<void> {
    const finish = (): void => {
      this.#child.stdin.end();
      // What it still wants to say must not keep it from ending.
      this.#child.stdout.destroy();
    };
    await this.#child.end(finish, POLITE_EXIT_MS);
  }

  async #orDied<T>(read: Promise<T | undefined>): Promise<T> {
    const value = await read;
    if (value !== undefined) return value;
    const { code, signal, error } = await this.#child.closed;
    const stderr = error?.message ?? this.#child.words.text;
    const how = error ? "could not be started" : `ended ${endText(code, signal)}`;
    throw new IsotorchError("WORKER_DIED", `The reference process ${how}.`, {
      stderr,
      hint: stderr.trim().split("\n").at(-1) || "it printed nothing",
    });
  }
}

function wordsOf(flags: ReferenceCall["flags"]): string[] {
  return Object.entries(flags).flatMap(([name, value]) =>
    // In one word: a value may begin with a dash.
    value === undefined ? [] : [`--${name}=${String(value)}`],
  );
}

function refusedStart({ code, message }: ReferenceHeader, { python, needs }: ReferenceCall): IsotorchError {
  const known = ERROR_CODES.find((candidate) => candidate === code);
  const fallback: IsotorchErrorCode = "WORKER_START_FAILED";
  return new IsotorchError(known ?? fallback, `The reference process cannot start: ${String(message)}.`, {
    hint:
      known === "DEVICE_UNAVAILABLE"
        ? "Compare on a device that both have, as with --device cpu"
        : `It runs in ${python}, which needs ${needs}`,
  });
}

/** Why a request was refused, where it was: the name of Python's exception and what it says. */
export function refusalIn({ error }: ReferenceHeader): { code: string; message: string } | undefined {
  return isRecord(error) ? { code: String(error["type"]), message: String(error["message"]) } : undefined;
}

/** A record's values as texts; nothing of what is none. */
export function textsOf(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}
