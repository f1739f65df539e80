/** `isotorch inspect PROMPT` */
import { join } from "node:path";
import { makeDirectory } from "../../../base/files/files.ts";
import { writeNpy } from "../../../base/files/npy.ts";
import { unwritable, writeOutput } from "../../../base/files/output.ts";
import { visible } from "../../../base/text/shown.ts";
import { createGenerator } from "../../../generation/generator.ts";
import type { GeneratorInfo } from "../../../generation/info.ts";
import type { Inspection } from "../../../generation/inspection.ts";
import type { StageArray } from "../../../tasks/inspect.ts";
import { type Square, attentionOf, checkPlace, squareOf } from "../../attention/attention.ts";
import { heatMap } from "../../attention/heat-map.ts";
import { INSPECT } from "../../describe/text.ts";
import { EXIT } from "../../exit.ts";
import { parserOf } from "../../flags/description.ts";
import { parseFlags, wholeNumber } from "../../flags/flags.ts";
import { generatorOptions, timeoutOf } from "../../flags/texts.ts";
import { print, say } from "../../terminal/terminal.ts";
import { padded, widthOf } from "../../terminal/width.ts";
import { promptOf, sayUntrained } from "./prompt.ts";

/** Numbers of each embedding that are shown, of all that it has. */
const NUMBERS = 4;
const NEAREST = 4;
const STAGES = ["tokenEmbeddings", "positionEmbeddings", "attention", "hidden", "norm", "logits"] as const;

/** @returns 0. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(INSPECT));
  const { html, out } = values;
  const layer = values["layer"] === undefined ? 0 : wholeNumber("layer", values["layer"]);
  const head = values["head"] === undefined ? undefined : wholeNumber("head", values["head"]);
  const timeoutMs = timeoutOf(values);
  const prompt = await promptOf("inspect", positionals, values, signal);
  await using generator = await createGenerator({ ...generatorOptions(values), signal });
  const info = generator.info();
  sayUntrained(info);
  checkPlace(info, layer, head);
  const isWhole = out !== undefined;
  const include = { embeddings: true, nearest: true, attention: true };
  const inspection = await generator.inspect(prompt, {
    include: { ...include, ...(isWhole && { hidden: true, norm: true, logits: true }) },
    signal,
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  const attention = attentionOf(inspection.attention ?? { data: new Float32Array(), shape: [] });
  const square = squareOf(attention, layer, head);
  const written: string[] = [];
  if (typeof out === "string") {
    await writeArrays(out, inspection);
    written.push(out);
  }
  if (typeof html === "string") {
    const { attentionPage } = await import("../../attention/page.ts");
    await writeOutput(
      html,
      attentionPage({ prompt, tokens: inspection.tokens, attention, info }),
      "The page",
    );
    written.push(html);
  }
  if (values["json"] === true) await print(`${JSON.stringify(objectOf(inspection, square, info))}\n`);
  else {
    const lines = [
      ...tokenLines(inspection),
      "",
      titleOf(square, info),
      ...heatMap(square, inspection.tokens, process.stdout.columns),
    ];
    say(`${lines.join("\n")}\n`);
  }
  for (const file of written) say(`${file} is written.\n`, process.stderr);
  return EXIT.ok;
}

function tokenLines({ ids, tokens, tokenEmbeddings, nearest }: Inspection): string[] {
  const width = tokenEmbeddings?.shape[1] ?? 0;
  const names = tokens.map((token) => quoted(token));
  const wide = Math.max(5, ...names.map(widthOf));
  const shown = Math.min(NUMBERS, width);
  const numbers = `embedding: ${shown} of ${width} numbers`;
  const rows = ids.map((id, at) => {
    const vector = embeddingOf(tokenEmbeddings, at).slice(0, shown);
    const near = (nearest?.[at] ?? [])
      .slice(0, NEAREST)
      .map(({ text, cosine }) => `${quoted(text)} ${cosine.toFixed(2)}`);
    const figures = [...vector].map((value) => value.toFixed(4).padStart(8)).join("");
    return `${String(at).padStart(4)}  ${String(id).padStart(6)}  ${padded(names[at] ?? "", wide)}  ${figures.padEnd(numbers.length)}  ${near.join("  ")}`;
  });
  return [
    `      ${"id".padStart(6)}  ${"token".padEnd(wide)}  ${numbers.padEnd(shown * 8)}  nearest by cosine`,
    ...rows,
  ];
}

function titleOf({ layer, head }: Square, { layers, heads }: GeneratorInfo): string {
  const whose = head === undefined ? `the mean of its ${heads} heads` : `head ${head} of 0 to ${heads - 1}`;
  return `Who looks at whom in layer ${layer} of 0 to ${layers - 1}, ${whose}.
Each row divides 100 % among the tokens before it and itself; at its end whom it looks at most.`;
}

function objectOf(
  inspection: Inspection,
  square: Square,
  { model, weights, layers, heads }: GeneratorInfo,
): object {
  const { ids, tokens, tokenEmbeddings, nearest } = inspection;
  return {
    model,
    weights: weights.name,
    layers,
    heads,
    tokens: ids.map((id, at) => ({
      id,
      text: tokens[at],
      embedding: [...embeddingOf(tokenEmbeddings, at)],
      nearest: nearest?.[at],
    })),
    attention: {
      layer: square.layer,
      head: square.head ?? null,
      weights: square.rows.map((row) => [...row]),
    },
  };
}

function embeddingOf(array: StageArray | undefined, at: number): Float32Array {
  const width = array?.shape[1] ?? 0;
  return array?.data.subarray(at * width, (at + 1) * width) ?? new Float32Array();
}

async function writeArrays(folder: string, inspection: Inspection): Promise<void> {
  await makeDirectory(folder).catch((cause: unknown) => {
    throw unwritable("The arrays", cause, folder);
  });
  for (const name of STAGES) {
    const array = inspection[name];
    if (array !== undefined)
      await writeOutput(join(folder, `${name}.npy`), writeNpy("<f4", array.shape, array.data), "The array");
  }
}

function quoted(text: string): string {
  return `"${visible(text)}"`;
}
