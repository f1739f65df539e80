/** `POST /v1/completions` and `GET /v1/models`, as OpenAI's clients ask for them. */
import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { written } from "../../base/async/written.ts";
import { onAborted } from "../../base/async/aborts.ts";
import { type Timer, after } from "../../base/time/timer.ts";
import type { TextGenerator } from "../../generation/generator.ts";
import type { TextStream, Token } from "../../generation/stream.ts";
import { json, typed } from "../http/answer.ts";
import type { Answer, HttpRequest } from "../http/request.ts";
import type { Parts, Routes } from "../parts.ts";
import { tell } from "../problem.ts";
import { callOf } from "../request/call.ts";
import { admit, bytesOf, onlyPost } from "../routes/body.ts";
import { type Choice, type Head, type Usage, logprobsOf, usageOf } from "./answer.ts";
import { generatorOf } from "./generators.ts";
import { type CompletionRequest, completionOf } from "./request.ts";

const PATH = "/v1/completions";
/** A prompt is at most some thousand tokens: more than that is a mistake. */
const LARGEST_BODY = 4 * 1024 * 1024;

export function completionRoutes(app: Routes, { options, admission, metrics }: Parts): void {
  const { generators, limits } = options;
  const created = Math.floor(Date.now() / 1_000);
  app.onGet("/v1/models", () => {
    const data = Object.keys(generators).map((id) => ({
      id,
      object: "model",
      created,
      owned_by: "isotorch",
    }));
    return json({ object: "list", data });
  });
  onlyPost(app, PATH, "Send JSON with a `prompt` as the body of a POST.");
  app.onPost(
    PATH,
    admit(admission, () => ({ limit: LARGEST_BODY })),
    async (request) => {
      const asked = completionOf(bytesOf(request));
      const { name, generator } = generatorOf(generators, asked.model);
      const head: Head = {
        id: `cmpl-${randomUUID()}`,
        object: "text_completion",
        created: Math.floor(Date.now() / 1_000),
        model: name,
      };
      const texts = new Texts(generator, asked, request, options.timeoutMs, (tokens, ms) =>
        metrics.text(name, tokens, ms),
      );
      return asked.stream
        ? streamed(texts, asked, head, request, limits.answerMs)
        : json(await whole(texts, asked, head));
    },
  );
}

/** Counts a text that is complete. @param ms from the request's headers to its first token, and to its last. */
type Count = (tokens: number, ms: { readonly first: number; readonly last: number }) => void;

/** The texts of one request: the first failure, and a client that goes away, end all of them. */
class Texts {
  readonly #streams: readonly TextStream[];
  readonly #ender = new AbortController();
  readonly #forget: () => void;
  readonly #started: number;
  readonly #count: Count;
  #completion = 0;

  /** @throws IsotorchError for options and prompts that are refused. */
  constructor(
    generator: TextGenerator,
    { prompts, options }: CompletionRequest,
    request: HttpRequest,
    timeoutMs: number | undefined,
    count: Count,
  ) {
    const { signal: gone, started } = callOf(request);
    const { signal } = this.#ender;
    const call = { ...options, signal, ...(timeoutMs !== undefined && { timeoutMs }) };
    this.#streams = prompts.map((prompt) => generator.stream(prompt, call));
    this.#forget = onAborted(gone, () => this.end(gone.reason));
    this.#started = started;
    this.#count = count;
  }

  end(reason?: unknown): void {
    this.#ender.abort(reason);
    this.#forget();
  }

  get usage(): Usage {
    const prompt = this.#streams.reduce((sum, { promptTokens }) => sum + promptTokens, 0);
    return usageOf(prompt, this.#completion);
  }

  /** Reads all of them at once. @returns what `finish` makes of each, in the order of the prompts. */
  async read<T>(
    onToken: (index: number, token: Token, stream: TextStream) => void,
    finish: (index: number, stream: TextStream) => T,
  ): Promise<T[]> {
    try {
      return await Promise.all(
        this.#streams.map(async (stream, index) => {
          let [tokens, first] = [0, 0];
          for await (const token of stream) {
            if (tokens === 0) first = performance.now() - this.#started;
            tokens += 1;
            onToken(index, token, stream);
          }
          this.#completion += tokens;
          this.#count(tokens, { first, last: performance.now() - this.#started });
          return finish(index, stream);
        }),
      );
    } finally {
      this.end();
    }
  }
}

async function whole(texts: Texts, { prompts, logprobs }: CompletionRequest, head: Head): Promise<object> {
  const tokens = prompts.map((): Token[] => []);
  const choices = await texts.read(
    (index, token) => tokens[index]?.push(token),
    (index, { finishReason, seed }): Choice => {
      const own = tokens[index] ?? [];
      return {
        text: own.map(({ text }) => text).join(""),
        index,
        logprobs: logprobs === undefined ? null : logprobsOf(own, 0),
        finish_reason: finishReason ?? "length",
        seed,
      };
    },
  );
  return { ...head, choices, usage: texts.usage };
}

/** The answer begins with its first chunk: what fails before has a status of its own. */
async function streamed(
  texts: Texts,
  asked: CompletionRequest,
  head: Head,
  { response }: HttpRequest,
  patienceMs: number,
): Promise<Answer> {
  const chunks = chunksOf(texts, asked, head);
  const first = await chunks.next();
  async function* events(): AsyncGenerator<string, void, undefined> {
    let patience: Timer | undefined;
    try {
      for (let next = first; next.done !== true; next = await chunks.next()) {
        patience = after(patienceMs, () => response.destroy());
        yield `data: ${JSON.stringify(next.value)}\n\n`;
        patience.cancel();
      }
      yield "data: [DONE]\n\n";
    } catch (error) {
      const { code, message, hint } = tell(error);
      yield `data: ${JSON.stringify({ error: { code, message, hint } })}\n\n`;
    } finally {
      patience?.cancel();
      await chunks.return();
    }
  }
  return typed("text/event-stream; charset=utf-8", Readable.from(events()), { "cache-control": "no-store" });
}

/** The chunks of all texts as they come, each text's in its order. */
function chunksOf(
  texts: Texts,
  { prompts, logprobs, includeUsage }: CompletionRequest,
  head: Head,
): AsyncGenerator<object, void, undefined> {
  const offsets = prompts.map(() => 0);
  return written<object>(async (write, ended) => {
    ended.addEventListener("abort", () => texts.end(ended.reason), { once: true });
    const told = (choice: Choice): void => write({ ...head, choices: [choice] });
    await texts.read(
      (index, token, { seed }) => {
        const offset = offsets[index] ?? 0;
        offsets[index] = offset + token.text.length;
        const own = logprobs === undefined ? null : logprobsOf([token], offset);
        told({ text: token.text, index, logprobs: own, finish_reason: null, seed });
      },
      (index, { finishReason, seed }) =>
        told({ text: "", index, logprobs: null, finish_reason: finishReason ?? "length", seed }),
    );
    if (includeUsage) write({ ...head, choices: [], usage: texts.usage });
  });
}
