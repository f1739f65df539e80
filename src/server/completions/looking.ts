/** `POST /v1/tokenize` and `POST /v1/inspect`: how a text becomes tokens, and which of them look at which. Ours, for learners. */
import { IsotorchError } from "../../base/errors.ts";
import { unexpected } from "../../base/options/check.ts";
import type { Prompt } from "../../generation/generator.ts";
import type { StageArray } from "../../tasks/inspect.ts";
import type { PieceSteps, Tokenizer } from "../../text/tokenizer.ts";
import { json } from "../http/answer.ts";
import type { HttpRequest } from "../http/request.ts";
import type { Parts, Routes } from "../parts.ts";
import { callOf } from "../request/call.ts";
import { admit, bytesOf, onlyPost } from "../routes/body.ts";
import { fieldsOf, flag, text, whole } from "./fields.ts";
import { generatorOf } from "./generators.ts";
import { isIds } from "./request.ts";

const TOKENIZE = "/v1/tokenize";
const INSPECT = "/v1/inspect";
/** Bytes of a body: many times what a network looks at. */
const LARGEST_BODY = 64 * 1024;
/** Characters of a text whose merges are told. */
const MOST_STEPPED = 1_024;
/** What one answer of `/v1/inspect` has at most: tokens, and shares of all its layers and heads. */
export const MOST_INSPECTED = { tokens: 128, shares: 262_144 } as const;
/** Layers of the deepest network, many times. */
const MOST_LAYERS = 4_096;

export function lookingRoutes(app: Routes, parts: Parts): void {
  const admission = admit(parts.admission, () => ({ limit: LARGEST_BODY }));
  onlyPost(app, TOKENIZE, "Send JSON with a `text` as the body of a POST.");
  onlyPost(app, INSPECT, "Send JSON with a `prompt` as the body of a POST.");
  app.onPost(TOKENIZE, admission, (request) => Promise.resolve(json(tokenized(request, parts))));
  app.onPost(INSPECT, admission, async (request) => json(await inspected(request, parts)));
}

function tokenized(request: HttpRequest, { options }: Parts): object {
  const given = fieldsOf(bytesOf(request), ["model", "text", "steps"]);
  const { name, generator } = generatorOf(options.generators, text(given, "model"));
  const said = text(given, "text");
  if (said === undefined) throw unexpected('Field "text" is', said, "a text");
  const { tokenizer } = generator;
  const withSteps = flag(given, "steps");
  if (withSteps && said.length > MOST_STEPPED)
    throw new IsotorchError(
      "INPUT_TOO_LARGE",
      `The text has ${said.length} characters, and the merges of ${MOST_STEPPED} are told.`,
      { hint: "Send a word or two, or leave `steps` out." },
    );
  const tokens = tokenizer.pieces(said).map((piece) => ({
    id: piece.id,
    text: piece.text,
    readable: tokenizer.textOf(piece.id),
    start: piece.start,
  }));
  return {
    object: "tokens",
    model: name,
    tokens,
    ...(withSteps && { pieces: tokenizer.steps(said).map((piece) => told(piece, tokenizer)) }),
  };
}

function told({ text: piece, start, merges }: PieceSteps, tokenizer: Tokenizer): object {
  const shown = (id: number): object => ({ id, readable: tokenizer.textOf(id) });
  return {
    text: piece,
    start: start.map(shown),
    merges: merges.map(({ rank, pair, id }) => ({ rank, pair: pair.map(shown), ...shown(id) })),
  };
}

async function inspected(request: HttpRequest, { options }: Parts): Promise<object> {
  const given = fieldsOf(bytesOf(request), ["model", "prompt", "layer"]);
  const { name, generator } = generatorOf(options.generators, text(given, "model"));
  const { layers, heads } = generator.info();
  const layer = whole(given, "layer", MOST_LAYERS);
  if (layer !== undefined && layer >= layers)
    throw unexpected('Field "layer" is', layer, `a whole number from 0 to ${layers - 1}`);
  const prompt = promptOf(given["prompt"]);
  const asked = typeof prompt === "string" ? generator.tokenizer.encode(prompt) : prompt;
  checkSize(asked.length, (layer === undefined ? layers : 1) * heads);
  const { signal } = callOf(request);
  const { timeoutMs } = options;
  const { ids, tokens, attention } = await generator.inspect(asked, {
    include: { attention: true },
    signal,
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  const all = attention === undefined ? [] : sharesOf(attention);
  return {
    object: "inspection",
    model: name,
    ids,
    tokens,
    layers,
    heads,
    ...(layer === undefined ? { attention: all } : { layer, attention: all.slice(layer, layer + 1) }),
  };
}

function promptOf(given: unknown): Prompt {
  if (typeof given === "string" || isIds(given)) return given;
  throw unexpected('Field "prompt" is', given, "a text, or ids of tokens");
}

/** @param maps heads that the answer has, of all its layers. */
function checkSize(tokens: number, maps: number): void {
  const { tokens: most, shares } = MOST_INSPECTED;
  if (tokens > most)
    throw new IsotorchError(
      "INPUT_TOO_LARGE",
      `The prompt has ${tokens} tokens, and ${most} are looked at.`,
      {
        hint: "Send a part of it.",
      },
    );
  const wanted = (maps * tokens * (tokens + 1)) / 2;
  if (wanted > shares)
    throw new IsotorchError("INPUT_TOO_LARGE", `The answer would have ${wanted} shares, of ${shares}.`, {
      hint: "Name one `layer`, or send a part of the prompt.",
    });
}

/** By layer, head and token: a share for the token itself and each that stands before it. */
function sharesOf({ data, shape }: StageArray): number[][][][] {
  const [layers = 0, heads = 0, count = 0] = shape;
  const range = (length: number): number[] => Array.from({ length }, (_, at) => at);
  return range(layers).map((layer) =>
    range(heads).map((head) =>
      range(count).map((from) => {
        const row = ((layer * heads + head) * count + from) * count;
        return Array.from(data.subarray(row, row + from + 1));
      }),
    ),
  );
}
