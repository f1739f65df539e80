/** The page of `isotorch inspect --html` in a real browser. `npm run test:browser` runs it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { attentionPage } from "../../../src/cli/attention/page.ts";

const LAYERS = 12;
const HEADS = 12;
const TOKENS = [
  "In",
  " the",
  " beginning",
  "\n",
  "<E6>",
  " </script>",
  " averyverylongtokenwithoutanyblankinside",
];

let folder: string;
let browser: Browser;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "attention-page-"));
  browser = await chromium.launch({
    executablePath: String(process.env["CHROMIUM"]),
    args: ["--no-sandbox"],
  });
  const tokens = TOKENS.length;
  const data = new Float32Array(LAYERS * HEADS * tokens * tokens);
  // Head h of layer l looks at the token l + h before itself, as far as there is one, with all of its attention.
  for (let row = 0; row < LAYERS * HEADS * tokens; row += 1) {
    const [head, from] = [Math.floor(row / tokens), row % tokens];
    const back = Math.floor(head / HEADS) + (head % HEADS);
    data[row * tokens + Math.max(0, from - back)] = 1;
  }
  const info = { model: "gpt2", weights: { name: "untrained:0", trained: false } } as never;
  const attention = { data, layers: LAYERS, heads: HEADS, tokens };
  writeFileSync(
    join(folder, "page.html"),
    attentionPage({ prompt: TOKENS.join(""), tokens: TOKENS, attention, info }),
  );
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function opened(width: number, colorScheme: "light" | "dark" = "light"): Promise<Page> {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
  page.on("console", (message) => expect(message.text(), "the browser's console").toBe(""));
  page.on("pageerror", (error) => expect(error.message, "the page's script").toBe(""));
  page.on("request", (request) => expect(request.url()).toMatch(/^file:/));
  await page.goto(pathToFileURL(join(folder, "page.html")).href);
  return page;
}

test.each([320, 390, 1280])("fits %d px, in the dark too", async (width) => {
  for (const scheme of ["light", "dark"] as const) {
    const page = await opened(width, scheme);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
    await page.close();
  }
});

test("keys move between heads and tokens, and what is said follows", async () => {
  const page = await opened(390);
  const says = page.locator("#says");
  expect(await says.textContent()).toContain(
    'Token 6, " averyverylongtokenwithoutanyblankinside", looks most at token 6',
  );
  await page.keyboard.press("Tab");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  expect(await page.locator("h2 b").allTextContents()).toEqual(["1", "1"]);
  expect(await says.textContent()).toContain('looks most at token 4, "<E6>": 100 %');
  await page.keyboard.press("Tab");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  expect(await says.textContent()).toContain('Token 1, " the", looks most at token 0, "In": 100 %');
  expect(await page.locator("[role=option][aria-selected=true]").getAttribute("aria-label")).toBe(
    'Token 1, " the", 0.0 %',
  );
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  expect(await page.locator("h2 b").allTextContents()).toEqual(["0", "1"]);
  await page.close();
});

test("a click chooses a head, and one into the square a token", async () => {
  const page = await opened(1280);
  await page.getByRole("gridcell", { name: "Layer 2, head 0" }).click();
  const { width, height } = (await page.locator("#square").boundingBox())!;
  await page.locator("#square").click({ position: { x: width / 2, y: (height * 3.5) / TOKENS.length } });
  expect(await page.locator("#says").textContent()).toContain(
    'Token 3, "⏎", looks most at token 1, " the": 100 %',
  );
  await page.close();
});
