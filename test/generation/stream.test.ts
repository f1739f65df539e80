/** A text as its tokens come, of a backend that is none: what is yielded when, and how it ends. */
import { expect, test } from "vitest";
import type { Backend } from "../../src/backend.ts";
import { AcceptedCalls } from "../../src/base/async/accepted.ts";
import { written } from "../../src/base/async/written.ts";
import { IsotorchError } from "../../src/base/errors.ts";
import type { GenerateOptions } from "../../src/generation/options.ts";
import { resolveGenerateOptions } from "../../src/generation/resolved.ts";
import { type Token, WorkerTextStream } from "../../src/generation/stream.ts";
import type { GeneratedPart, ToGenerate } from "../../src/tasks/generate.ts";
import { Tokenizer } from "../../src/tokenizer.ts";
import { codeOf } from "../failure.ts";

const tokenizer = Tokenizer.gpt2();
const END = 50_256;

type Work = (write: (part: GeneratedPart) => void, signal: AbortSignal, input: ToGenerate) => Promise<void>;

function stream(work: Work, options: GenerateOptions = {}) {
  const calls = new AcceptedCalls();
  const run = ((_task: string, input: ToGenerate, { signal }: { signal?: AbortSignal } = {}) =>
    written(
      (write: (part: GeneratedPart) => void, ended) => work(write, ended, input),
      signal,
    )) as Backend["run"];
  const source = { pool: { run } as Backend, tokenizer, calls, prompt: [464], endOfText: END };
  return { calls, stream: new WorkerTextStream(source, resolveGenerateOptions(options, 0)) };
}

const token = (id: number): GeneratedPart => ({ token: { id, logprob: -1, candidates: [] } });
const answers =
  (...ids: number[]): Work =>
  (write) => {
    for (const id of ids) write(token(id));
    write({ timings: {} });
    return Promise.resolve();
  };

async function read(tokens: AsyncIterable<Token>): Promise<[id: number, text: string][]> {
  const found: [number, string][] = [];
  for await (const { id, text } of tokens) found.push([id, text]);
  return found;
}

test("tokens with their texts, and why it ended", async () => {
  const { stream: text } = stream(answers(3290, 373));
  expect(text.finishReason).toBeUndefined();
  expect(await read(text)).toEqual([
    [3290, " dog"],
    [373, " was"],
  ]);
  expect(text.finishReason).toBe("length");
});

test("the token that ends a text is not part of it, also one of one's own", async () => {
  const ended = stream(answers(3290, END));
  expect(await read(ended.stream)).toEqual([[3290, " dog"]]);
  expect(ended.stream.finishReason).toBe("stop");
  const own = stream(answers(3290, 373, 13), { stopIds: [373] });
  expect(await read(own.stream)).toEqual([[3290, " dog"]]);
  expect(own.stream.finishReason).toBe("stop");
});

test("what is held back at the end belongs to the last token, whatever ended it", async () => {
  const [part = 0] = tokenizer.encode("水");
  expect(await read(stream(answers(3290, part)).stream)).toEqual([
    [3290, " dog"],
    [part, "\uFFFD"],
  ]);
  const held = stream(answers(198, END), { stop: "\n\n" });
  expect(await read(held.stream)).toEqual([[198, "\n"]]);
  expect(held.stream.finishReason).toBe("stop");
});

test("a stop text ends the answer and frees whoever makes it", async () => {
  let freed: Error | undefined;
  const { stream: text } = stream(
    (write, signal) => {
      for (const id of [3290, 198, 198, 373, 373]) write(token(id));
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          freed = signal.reason as Error;
          reject(freed);
        });
      });
    },
    { stop: ["\n\n"] },
  );
  expect(await read(text)).toEqual([
    [3290, " dog"],
    [198, ""],
    [198, ""],
  ]);
  expect(text.finishReason).toBe("stop");
  expect(freed).toBeInstanceOf(IsotorchError);
});

test("a seed is drawn for each, and is told; one that is given is kept", async () => {
  const seeds: number[] = [];
  const note: Work = (write, _, { seed }) => {
    seeds.push(seed);
    write({ timings: {} });
    return Promise.resolve();
  };
  const drawn = [stream(note).stream, stream(note).stream, stream(note, { seed: 7 }).stream];
  for (const one of drawn) await read(one);
  expect(seeds).toEqual(drawn.map(({ seed }) => seed));
  expect(seeds[0]).not.toBe(seeds[1]);
  expect(seeds[2]).toBe(7);
});

/** Writes one token and then waits until it is ended. */
const stuck: Work = (write, signal) => {
  write(token(3290));
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });
};

test("the deadline counts from token to token", async () => {
  const { stream: text } = stream(stuck, { timeoutMs: 50 });
  expect((await text.next()).value).toMatchObject({ id: 3290 });
  expect(await codeOf(text.next())).toBe("DEADLINE_EXCEEDED");
});

test("a slow reader is no slow worker", async () => {
  const late: Work = async (write) => {
    write(token(3290));
    write(token(373));
    write({ timings: {} });
  };
  const { stream: text } = stream(late, { timeoutMs: 20 });
  await text.next();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect((await text.next()).value).toMatchObject({ id: 373 });
});

test("whoever aborts gets nothing more, also of what has come already", async () => {
  const aborted = new AbortController();
  const { stream: text } = stream(answers(3290, 373, 13), { signal: aborted.signal });
  await text.next();
  aborted.abort();
  expect(await codeOf(text.next())).toBe("ABORTED");
});

test("the caller's signal ends it, and a close that no longer waits", async () => {
  const aborted = new AbortController();
  const one = stream(stuck, { signal: aborted.signal });
  await one.stream.next();
  aborted.abort();
  expect(await codeOf(one.stream.next())).toBe("ABORTED");
  const other = stream(stuck);
  await other.stream.next();
  const next = codeOf(other.stream.next());
  await other.calls.drain(0);
  expect(await next).toBe("CLOSED");
});

test("a close does not wait for whoever has stopped reading without a word", async () => {
  const { stream: text, calls } = stream(stuck);
  await text.next();
  await calls.drain(0);
  expect(await codeOf(text.next())).toBe("CLOSED");
});

test("whoever reads after the close gets nothing", async () => {
  const { stream: text, calls } = stream(answers(3290));
  await calls.drain(0);
  expect(await codeOf(text.next())).toBe("CLOSED");
});
