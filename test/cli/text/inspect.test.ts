import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readNpy } from "../../../src/base/files/npy.ts";
import { type Attention, squareOf } from "../../../src/cli/attention/attention.ts";
import { heatMap } from "../../../src/cli/attention/heat-map.ts";
import { attentionPage } from "../../../src/cli/attention/page.ts";
import { run } from "../../../src/cli/commands/text/inspect.ts";
import { createGenerator } from "../../../src/generation/generator.ts";
import type { Inspection } from "../../../src/generation/inspection.ts";
import { PYTHON } from "../../python.ts";
import { SMALL, writeSmallGpt2 } from "../../small-gpt2.ts";
import { printed } from "../printed.ts";

const PROMPT = "And God saw the light";
let folder: string;
let flags: string[];
let known: Inspection;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "inspect-test-"));
  await writeSmallGpt2(folder);
  flags = ["--weights", folder, "--python", PYTHON, "--device", "cpu", "--threads", "1"];
  await using generator = await createGenerator({
    weights: folder,
    python: PYTHON,
    device: "cpu",
    threads: 1,
  });
  const include = { embeddings: true, nearest: true, attention: true };
  known = await generator.inspect(PROMPT, { include });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Of the head, or of all of them, as numbers. */
function sharesOf({ layers, heads, data, tokens }: Attention, layer: number, head: number): number[][] {
  expect(data).toHaveLength(layers * heads * tokens * tokens);
  return Array.from({ length: tokens }, (_, from) => {
    const start = ((layer * heads + head) * tokens + from) * tokens;
    return Array.from(data.slice(start, start + tokens));
  });
}

test("--json has every token with its embedding and its nearest, and the head that was asked for", async () => {
  const { code, stdout } = await printed(run, [PROMPT, "--json", "--layer", "1", "--head", "1", ...flags]);
  const answer = JSON.parse(stdout) as {
    tokens: { id: number; text: string; embedding: number[]; nearest: object[] }[];
    attention: { layer: number; head: number | null; weights: number[][] };
  };
  expect(code).toBe(0);
  expect(answer.tokens.map(({ id }) => id)).toEqual(known.ids);
  expect(answer.tokens.map(({ text }) => text)).toEqual(known.tokens);
  expect(answer.tokens.flatMap(({ embedding }) => embedding)).toEqual([
    ...(known.tokenEmbeddings?.data ?? []),
  ]);
  expect(answer.tokens.map(({ nearest }) => nearest)).toEqual(known.nearest);
  const { data = new Float32Array() } = known.attention ?? {};
  const attention = { data, layers: SMALL.layers, heads: SMALL.heads, tokens: known.ids.length };
  expect(answer.attention).toEqual({ layer: 1, head: 1, weights: sharesOf(attention, 1, 1) });
});

test("people see each token with its numbers and its nearest, and who looks at whom", async () => {
  const { stdout } = await printed(run, [PROMPT, ...flags]);
  const [head = "", ...lines] = stdout.split("\n");
  expect(head).toContain(`embedding: 4 of ${SMALL.width} numbers`);
  for (const [at, id] of known.ids.entries()) {
    expect(lines[at]).toContain(`"${known.tokens[at]}"`);
    expect(lines[at]).toContain(` ${id} `);
    const near = known.nearest?.[at]?.[0];
    expect(lines[at]).toContain(`"${near?.text}" ${near?.cosine.toFixed(2)}`);
    expect(lines[at]).toContain(known.tokenEmbeddings?.data[at * SMALL.width]?.toFixed(4));
  }
  expect(stdout).toContain("layer 0 of 0 to 1, the mean of its 2 heads");
});

test("--out writes every stage as NumPy reads it", async () => {
  const out = join(folder, "new/arrays");
  await printed(run, [PROMPT, "--json", "--out", out, ...flags]);
  const names = ["attention", "hidden", "logits", "norm", "positionEmbeddings", "tokenEmbeddings"];
  expect(readdirSync(out).toSorted()).toEqual(names.map((name) => `${name}.npy`));
  const shapes = names.map((name) => readNpy(readFileSync(join(out, `${name}.npy`)), name));
  const { layers, heads, width, vocabulary } = SMALL;
  const tokens = known.ids.length;
  expect(shapes.map(({ shape }) => shape)).toEqual([
    [layers, heads, tokens, tokens],
    [layers, tokens, width],
    [tokens, vocabulary],
    [tokens, width],
    [tokens, width],
    [tokens, width],
  ]);
  const bytes = Buffer.from(shapes[0]!.bytes);
  expect(bytes.equals(Buffer.from(new Uint8Array(known.attention!.data.buffer)))).toBe(true);
});

test.each([
  ["--layer", "2", "0 to 1"],
  ["--head", "2", "0 to 1"],
])("%s %s, which there is not, is refused", async (flag, value, range) => {
  const promise = printed(run, [PROMPT, flag, value, ...flags]);
  await expect(promise).rejects.toMatchObject({
    code: "INVALID_OPTION",
    message: expect.stringContaining(range) as string,
  });
});

/** Two layers of one and of two heads over three tokens. */
const MADE: Attention = {
  layers: 1,
  heads: 2,
  tokens: 3,
  data: Float32Array.of(1, 0, 0, 0.25, 0.75, 0, 0.01, 0.19, 0.8, 1, 0, 0, 0.75, 0.25, 0, 0.11, 0.49, 0.4),
};

describe("the heat map", () => {
  test("has a shade for each share, nothing where a token cannot look, and whom each looks at most", () => {
    expect(heatMap(squareOf(MADE, 0, 0), ["In", "\n", "春天"])).toEqual([
      "                 0",
      '  0 "In"         ██      0 "In" 100 %',
      '  1 "\\n"         ▒▒██    1 "\\n" 75 %',
      '  2 "春天"       ··▒▒██  2 "春天" 80 %',
      "  · below 5 %   ░ from 5 %   ▒ from 15 %   ▓ from 30 %   █ from 60 %",
    ]);
  });

  test("of no head is the mean of all", () => {
    const [, , second, third] = heatMap(squareOf(MADE, 0, undefined), ["a", "b", "c"]);
    expect(second).toContain('▓▓▓▓    0 "a" 50 %');
    expect(third).toContain('░░▓▓██  2 "c" 60 %');
  });

  test("of a long text on a narrow terminal says which columns it leaves out", () => {
    const tokens = Array.from({ length: 40 }, (_, at) => `t${at}`);
    const data = new Float32Array(40 * 40).map((_, at) =>
      at % 40 <= Math.floor(at / 40) ? 1 / (Math.floor(at / 40) + 1) : 0,
    );
    const lines = heatMap(squareOf({ data, layers: 1, heads: 1, tokens: 40 }, 0, 0), tokens, 60);
    for (const line of lines.slice(0, -2)) expect(line.length).toBeLessThanOrEqual(60);
    expect(lines.at(-2)).toContain("Columns begin at token 24");
    expect(lines[1]).toContain('24 "t24"');
  });
});

describe("the page", () => {
  const info = { model: "gpt2", weights: { name: "untrained:0", trained: false } } as never;
  const html = attentionPage({
    prompt: "a </script><b>&",
    tokens: ["a", " </script>", "<b>&"],
    attention: MADE,
    info,
  });

  test("carries every share of every head, and takes no text for HTML", () => {
    const data = /<script type="application\/json" id="facts">(.*)<\/script>/.exec(html)?.[1] ?? "";
    const facts = JSON.parse(data) as { tokens: string[]; layers: number; heads: number; shares: string };
    expect(facts).toMatchObject({ tokens: ["a", " </script>", "<b>&"], layers: 1, heads: 2 });
    expect([...Buffer.from(facts.shares, "base64")].map((byte) => byte / 255)).toEqual(
      [1, 0.25, 0.75, 0.01, 0.19, 0.8, 1, 0.75, 0.25, 0.11, 0.49, 0.4].map(
        (share) => expect.closeTo(share, 2) as number,
      ),
    );
    expect(html).toContain("a &lt;/script&gt;&lt;b&gt;&amp;");
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    expect(html).toContain("untrained:0: an untrained network");
  });

  test("loads nothing from elsewhere, and runs no script but its own", () => {
    const policy = /content="(default-src[^"]*)"/.exec(html)?.[1] ?? "";
    const script = /<script>([^]*)<\/script>\n<\/main>/.exec(html)?.[1] ?? "";
    const hash = createHash("sha256").update(script).digest("base64");
    expect(policy).toBe(`default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`);
    expect(html).not.toMatch(/https?:|src=|href=|@import|url\(/);
  });

  test("of a text that is too long is refused", () => {
    const tokens = Array.from({ length: 1024 }, () => "a");
    const attention = { layers: 48, heads: 25, tokens: 1024, data: new Float32Array() };
    expect(() => attentionPage({ prompt: "a", tokens, attention, info })).toThrow(/too much for one page/);
  });
});
