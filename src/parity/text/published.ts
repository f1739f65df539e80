/** What others published of a network's text: the greedy continuation in transformers' own tests, for GPT-2's pretrained weights. */
import { readFileSync } from "node:fs";
import type { TextGenerator } from "../../generation/generator.ts";
import type { GeneratorInfo } from "../../generation/info.ts";

export interface PublishedContinuation {
  readonly source: string;
  readonly prompt: readonly number[];
  /** What follows it, where the likeliest token is taken each time. */
  readonly ids: readonly number[];
}

export type PublishedCheck =
  | { readonly checked: false; readonly why: string }
  | {
      readonly checked: true;
      readonly equal: boolean;
      readonly source: string;
      readonly prompt: readonly number[];
      readonly expected: readonly number[];
      readonly received: readonly number[];
    };

const PUBLISHED = JSON.parse(
  readFileSync(new URL("../../../models/gpt2/published.json", import.meta.url), "utf8"),
) as Readonly<Record<string, Readonly<Record<string, PublishedContinuation>>>>;

/** For the weights that it was published of, and no others: whose file has been checked against its known hash. */
export async function checkPublished(
  generator: {
    readonly generate: TextGenerator["generate"];
    info(): Pick<GeneratorInfo, "model" | "weights">;
  },
  signal?: AbortSignal,
): Promise<PublishedCheck> {
  const { model, weights } = generator.info();
  const published = Object.hasOwn(PUBLISHED, model) ? PUBLISHED[model]?.[weights.name] : undefined;
  if (published === undefined) {
    const known = Object.entries(PUBLISHED).flatMap(([name, all]) =>
      Object.keys(all).map((one) => `${name}, ${one}`),
    );
    return {
      checked: false,
      why: `nothing is published of ${model}, ${weights.name}, only of ${known.join("; ")}`,
    };
  }
  const { source, prompt, ids: expected } = published;
  const { ids: received } = await generator.generate(prompt, {
    maxTokens: expected.length,
    temperature: 0,
    ...(signal && { signal }),
  });
  const equal = expected.join() === received.join();
  return { checked: true, equal, source, prompt, expected, received };
}

export function publishedText(check: PublishedCheck): string {
  if (!check.checked) return `published continuation: not checked, ${check.why}`;
  const { equal, prompt, expected, received } = check;
  const at = expected.findIndex((id, place) => id !== received[place]);
  const of = `published greedy continuation of [${prompt.join(", ")}]`;
  if (equal) return `${of}: the same ${expected.length} tokens`;
  return `${of}: diverged at token ${at + 1}, ${received[at] ?? "none"} here and ${expected[at] ?? "none"} there`;
}
