/** The other side of the ladder for texts: plain PyTorch, or transformers, in a process that shares no code with the worker. */
import { ReferenceProcess, refusalIn, textsOf } from "../process.ts";
import type { ReferenceCall, ReferenceHeader } from "../process.ts";
import type { StageArray } from "../compare/array.ts";
import type { Refusal } from "../stages.ts";
import type { TextStage, TheirStages, Way } from "./stages.ts";

/** Which of the two: `plain` is typed out, `transformers` is theirs, where its environment has it. */
export const TEXT_REFERENCES = ["plain", "transformers"] as const;
export type TextReferenceName = (typeof TEXT_REFERENCES)[number];

const SCRIPTS: Readonly<Record<TextReferenceName, Pick<ReferenceCall, "script" | "needs">>> = {
  plain: { script: "plain_gpt2.py", needs: "torch and NumPy" },
  transformers: { script: "transformers_gpt2.py", needs: "torch, NumPy, transformers and tokenizers" },
};

export interface TextReferenceOptions extends Pick<ReferenceCall, "python" | "variables" | "signal"> {
  readonly reference: TextReferenceName;
  readonly checkpoint: string;
  readonly config: string;
  /** A file of merges, or a folder with the files of a tokenizer. */
  readonly vocabulary: string;
  /** Lower-case hex; the file is refused when it has another hash. */
  readonly sha256?: string;
  readonly threads: number;
}

/** What the other side runs on. */
export interface TextReferenceInfo {
  /** python, torch, numpy, and transformers where it computes. */
  readonly versions: Readonly<Record<string, string>>;
  readonly executable: string;
  readonly threads: number;
  /** What splits and joins texts there. */
  readonly tokens: string;
  /** For which rows the head is computed, and how scores are scaled, where it says so. */
  readonly computes: Readonly<Record<string, string>>;
}

/** What is asked of it for one prompt. */
export interface Asked {
  readonly prompt: string;
  /** Of our side, so that a difference in tokens does not hide what comes after them; its own where we have none. */
  readonly ids: readonly number[] | undefined;
  readonly ways: readonly Way[];
  readonly stopIds: readonly number[];
}

/** One long-lived reference process. Prompts are answered one after the other. */
export class TextReference {
  readonly info: TextReferenceInfo;
  readonly #process: ReferenceProcess;

  /** @throws IsotorchError what the interpreter lacks, or why the checkpoint was refused. */
  static async start(options: TextReferenceOptions): Promise<TextReference> {
    const { reference, python, variables, signal, ...flags } = options;
    const { process, ready } = await ReferenceProcess.start({
      ...SCRIPTS[reference],
      python,
      flags,
      ...(variables && { variables }),
      ...(signal && { signal }),
    });
    return new TextReference(process, ready);
  }

  private constructor(process: ReferenceProcess, ready: ReferenceHeader) {
    const { versions, executable, threads, tokens, transformers, head, scores } = ready;
    this.#process = process;
    this.info = {
      versions: { ...textsOf(versions), ...(typeof transformers === "string" && { transformers }) },
      executable: String(executable),
      threads: Number(threads),
      tokens: String(tokens),
      computes: textsOf({ ...(head !== undefined && { head }), ...(scores !== undefined && { scores }) }),
    };
  }

  /** Tells every stage of a prompt, or answers why Python would not take it. */
  async trace({ prompt, ids, ways, stopIds }: Asked, told: TheirStages): Promise<Refusal | undefined> {
    let own: readonly number[] | undefined;
    const encoded = await this.#ask({ text: prompt }, (_, array) => {
      told.stage("tokens", array);
      own = integersIn(array);
    });
    if (encoded.kind === "refused") return encoded;
    if (encoded.skipped !== undefined) told.skipped("tokens", encoded.skipped);
    const given = ids ?? own;
    if (given === undefined) return undefined;

    const pass = await this.#ask({ ids: given }, (name, array) => told.stage(name as TextStage, array));
    if (pass.kind === "refused") return pass;
    for (const { name, ...way } of ways) {
      const found: Record<string, StageArray> = {};
      const answer = await this.#ask({ ids: given, ...way, stopIds, stages: false }, (stage, array) => {
        found[stage] = array;
      });
      if (answer.kind === "refused") return answer;
      const { steps, tokens, text } = found;
      if (!steps || !tokens)
        return { kind: "refused", code: "PROTOCOL_ERROR", message: "it generated nothing" };
      told.answer(name, { steps, ids: integersIn(tokens), ...(text && { text: utf8.decode(text.data) }) });
    }
    return undefined;
  }

  /** Ends the process and waits until it is gone. Idempotent. */
  close(): Promise<void> {
    return this.#process.end();
  }

  async #ask(
    request: object,
    onArray: (name: string, array: StageArray) => void,
  ): Promise<Refusal | { readonly kind: "answered"; readonly skipped?: string }> {
    this.#process.write(request);
    const header = await this.#process.readHeader();
    const refusal = refusalIn(header);
    if (refusal) return { kind: "refused", ...refusal };
    for await (const [name, array] of this.#process.readArrays(header)) onArray(name, array);
    const { skipped } = header;
    return { kind: "answered", ...(typeof skipped === "string" && { skipped }) };
  }
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

function integersIn({ data }: StageArray): number[] {
  return Array.from(data);
}
