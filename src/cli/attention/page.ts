/** The attention of a text as a page that stands alone: every layer and head, and of each token whom it looks at. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { IsotorchError } from "../../base/errors.ts";
import { PACKAGE_VERSION } from "../../base/version.ts";
import type { GeneratorInfo } from "../../generation/info.ts";
import { htmlDocument } from "../../parity/report/html-document.ts";
import { escapeXml as text } from "../../parity/report/junit.ts";
import type { Attention } from "./attention.ts";

/** Bytes of a page's attention at most: browsers are slow with more. */
const MOST_BYTES = 32 * 1024 * 1024;
/** Of a share: 255 steps, 0.4 % each. */
const STEPS = 255;

export interface AttentionPage {
  readonly prompt: string;
  /** As text for people. */
  readonly tokens: readonly string[];
  readonly attention: Attention;
  readonly info: Pick<GeneratorInfo, "model" | "weights">;
}

/** A whole HTML document. @throws IsotorchError `INVALID_INPUT` for a text that is too long for one page. */
export function attentionPage({ prompt, tokens, attention, info }: AttentionPage): string {
  const { layers, heads } = attention;
  const script = readFileSync(new URL("page/page.js", import.meta.url), "utf8");
  const hash = createHash("sha256").update(script).digest("base64");
  const facts = { tokens, layers, heads, shares: sharesOf(attention) };
  const untrained =
    info.weights.trained === false
      ? `<p class="note">${text(info.weights.name)}: an untrained network, which has learnt nothing.</p>`
      : "";
  return htmlDocument({
    title: "Who looks at whom",
    allows: `script-src 'sha256-${hash}'`,
    style: readFileSync(new URL("page/page.css", import.meta.url), "utf8"),
    body: `<header>
<h1>Who looks at whom</h1>
<p>${text(info.model)}, weights ${text(info.weights.name)}: ${layers} layers with ${heads} heads each, ${tokens.length} tokens.</p>
<blockquote>${text(prompt).replaceAll("&#10;", "\n")}</blockquote>
${untrained}
</header>
<main>
<noscript><p class="note">This page draws with JavaScript, which is switched off here.</p></noscript>
<section aria-labelledby="heads-title">
<h2 id="heads-title">Layers and heads</h2>
<p class="hint">A row for each layer, a square for each head; darker is more. Arrow keys move, and so does a click.</p>
<div id="heads" role="grid" aria-labelledby="heads-title"></div>
</section>
<section aria-labelledby="text-title">
<h2 id="text-title">Layer <b id="layer"></b>, head <b id="head"></b></h2>
<p class="hint">Choose a token: the others are coloured by how much it looks at them.</p>
<div id="tokens" role="listbox" aria-orientation="horizontal" aria-labelledby="text-title"></div>
<p id="says" aria-live="polite"></p>
<div class="columns">
<div><h3>Whom it looks at</h3><ol id="looks"></ol></div>
<div><h3>Whole square</h3><p class="hint">A row for each token that looks, a column for each that is looked at.</p><canvas id="square" role="img" aria-label="The attention of this head as a square"></canvas></div>
</div>
</section>
<script type="application/json" id="facts">${JSON.stringify(facts).replaceAll("<", "\\u003c")}</script>
<script>${script}</script>
</main>
<footer>isotorch ${text(PACKAGE_VERSION)}. Shares are rounded to 0.4 %.</footer>`,
  });
}

/** Of each layer and head the rows one after the other, each as long as there are tokens to look at: a byte for each share, as base64. */
function sharesOf({ data, layers, heads, tokens }: Attention): string {
  const size = (layers * heads * tokens * (tokens + 1)) / 2;
  if (size > MOST_BYTES)
    throw new IsotorchError("INVALID_INPUT", `The attention of ${tokens} tokens is too much for one page.`, {
      hint: "Give a shorter text, or have the numbers written with --out.",
    });
  const bytes = new Uint8Array(size);
  let at = 0;
  for (let row = 0; row < layers * heads * tokens; row += 1) {
    const shares = data.subarray(row * tokens, row * tokens + (row % tokens) + 1);
    for (const share of shares) bytes[at++] = Math.round(share * STEPS);
  }
  return Buffer.from(bytes).toString("base64");
}
