/** The tab of texts in a real browser, in front of a generator whose texts are made up. `npm run test:browser` runs it. */
import type { BrowserContextOptions, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { IsotorchError } from "../../../src/index.ts";
import { createServer } from "../../../src/server.ts";
import type { Server } from "../../../src/server.ts";
import { createFakeGenerator } from "../../../src/testing.ts";
import type { FakeGeneratorOptions, FakeText } from "../../../src/testing.ts";
import { TOKEN, closing, fake, serve } from "../serve.ts";
import { CONTRAST, complaints, open, shot } from "./browser.ts";

const TEXT = " was <b>found</b> in a 文字.\nAnd 🙂";

async function texts(
  answer: FakeText = () => TEXT,
  options: FakeGeneratorOptions = {},
): Promise<{ server: Server; ended: () => number }> {
  const generator = closing(await createFakeGenerator(answer, options));
  const server = closing(await createServer({ generator: { tiny: generator }, token: TOKEN, port: 0 }));
  return { server, ended: () => generator.stats().failed };
}

async function write(page: Page, prompt = "The dog"): Promise<void> {
  await page.getByLabel("A beginning").fill(prompt);
  await page.getByRole("button", { name: "Continue it" }).click();
}

const written = (page: Page) => page.getByRole("button", { name: "Again with this seed" }).waitFor();
const typed = (page: Page) => page.locator("#typed [role=option]");

describe("a text", () => {
  test("types itself in coloured tokens, with the bytes of those that end inside a character", async () => {
    const page = await open((await texts()).server);
    expect(await page.getByRole("tab").count()).toBe(0); // there are no pictures here
    await write(page);
    await written(page);
    const shown = await typed(page).allTextContents();
    expect(shown.slice(0, 4)).toEqual(["The", " dog", " was", " <"]);
    expect(shown).toContain(" E6");
    expect(shown.join("")).toContain("文");
    expect(await page.locator("#typed b").count()).toBe(0);
    expect(await page.locator("#said").textContent()).toMatch(/^Done: \d+ tokens\.$/);
    expect(await page.locator("#typed .given").count()).toBe(2);
  });

  test("can be had again by its seed, and what else was likely is seen with the arrow keys", async () => {
    const page = await open((await texts((_, { seed }) => ` number ${seed}`)).server);
    await write(page);
    await written(page);
    const seed = await page.locator("#seed-was").textContent();
    const before = await page.locator("#typed").textContent();
    expect(before).toContain(String(seed));
    await page.getByRole("button", { name: "Again" }).click();
    await expect
      .poll(() => page.locator("#said").textContent())
      .toMatch(/The same text again: all \d+ tokens/);
    expect(await page.locator("#typed").textContent()).toBe(before);
    await typed(page).first().focus();
    expect(await page.locator("#candidates").textContent()).toContain("Part of the beginning");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await page.locator("#candidates h3").textContent()).toBe("Token 2, “␣number” 1271");
    expect(await page.locator("#candidates li.chosen").textContent()).toBe("␣number chosen100.0 %");
    await page.keyboard.press("End");
    expect(await page.locator('#typed [aria-selected="true"]').textContent()).toBe(
      await typed(page).last().textContent(),
    );
  });

  test("can be stopped, which frees the worker", async () => {
    const { server, ended } = await texts(() => TEXT.repeat(20), { latencyMs: 30 });
    const page = await open(server);
    await write(page);
    await typed(page).nth(4).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await expect.poll(() => page.locator("#said").textContent()).toMatch(/^Stopped after \d+ tokens?\.$/);
    await expect.poll(ended).toBe(1);
    await page.getByRole("button", { name: "Continue it" }).waitFor();
  });

  test("that fails says why", async () => {
    const { server } = await texts(() => TEXT, {
      failWith: () => new IsotorchError("WORKER_DIED", "The worker died."),
    });
    const page = await open(server, { locale: "zh-CN" });
    page.on("console", () => complaints.splice(0)); // 503 is what this test is about
    await page.getByRole("button", { name: "续写" }).click();
    expect(await page.getByRole("alert").textContent()).toContain("工作进程退出了");
    await page.getByText("采样").click();
    await page.getByLabel("最多新词元数").fill("1023");
    await page.getByRole("button", { name: "续写" }).click();
    await expect.poll(() => page.getByRole("alert").textContent()).toContain("CONTEXT_LENGTH");
  });
});

test("a word becomes tokens, merge by merge", async () => {
  const page = await open((await texts()).server);
  await page.getByLabel("A word").fill("lower");
  await expect.poll(() => page.locator("#merges li:last-child .chips").textContent()).toBe("lower");
  const rows = await page.locator("#merges li").allTextContents();
  expect(rows[0]).toBe("lowerits bytes");
  expect(rows.length).toBeGreaterThan(3);
});

test("who looks at whom, by layer, head and token", async () => {
  const page = await open((await texts()).server);
  await write(page, "In the beginning");
  await written(page);
  await page.getByRole("button", { name: "Look at the text above" }).click();
  await page.locator("#look-tokens [role=option]").nth(2).click();
  expect(await page.locator("#looks-at").textContent()).toBe("Token 2, “␣beginning”, looks at");
  expect(await page.locator("#looks li").allTextContents()).toEqual([
    "0 In33 %",
    "1 ␣the33 %",
    "2 ␣beginning33 %",
  ]);
  expect(await page.locator("#look-tokens [role=option]").nth(4).getAttribute("aria-label")).toContain(
    "stands behind it",
  );
  await page.locator("#layer").selectOption("1");
  await page.locator("#heads button").first().focus();
  await page.keyboard.press("ArrowRight");
  expect(await page.locator("#head-name").textContent()).toBe("Head 1");
});

test("a server with pictures and texts has two tabs, and the address says which one is open", async () => {
  const generator = closing(await createFakeGenerator(() => TEXT));
  const page = await open(await serve({ classifier: closing(await fake()), generator }));
  await page.getByRole("button", { name: "Choose pictures" }).waitFor();
  await page.getByRole("tab", { name: "Pictures" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("button", { name: "Continue it" }).waitFor();
  expect(await page.getByRole("button", { name: "Choose pictures" }).count()).toBe(0);
  expect(page.url()).toMatch(/#texts$/);
  await page.reload();
  await page.getByRole("button", { name: "Continue it" }).waitFor();
});

test.each([
  ["light-wide", { colorScheme: "light" }],
  ["dark-wide", { colorScheme: "dark" }],
  ["light-narrow", { colorScheme: "light", viewport: { width: 390, height: 844 } }],
  ["dark-narrow-zh", { colorScheme: "dark", viewport: { width: 360, height: 780 }, locale: "zh-CN" }],
] as [string, BrowserContextOptions][])(
  "nothing is cut off, too faint or nameless: %s",
  async (name, options) => {
    const page = await open((await texts()).server, options);
    await page.locator("#go").click();
    await page.locator("#written").waitFor();
    await typed(page).nth(5).click();
    await page.locator("#look").click();
    await page.locator("#looks li").first().waitFor();
    await page.locator("#texts summary").click();
    const wide = await page.evaluate<[number, number]>("[document.documentElement.scrollWidth, innerWidth]");
    expect(wide[0]).toBeLessThanOrEqual(wide[1]);
    expect(await page.evaluate<string[]>(CONTRAST)).toEqual([]);
    expect(await page.evaluate<string[]>(NAMELESS)).toEqual([]);
    await shot(page, `texts-${name}`);
  },
);

/** Fields and buttons of the tab that a screen reader has no name for, in the browser. */
const NAMELESS = `[...document.querySelectorAll("#texts :is(button, input, select, textarea, [role])")]
  .filter((one) => one.checkVisibility() && !["status", "alert"].includes(one.getAttribute("role")))
  .filter((one) => !(one.getAttribute("aria-label") || one.getAttribute("aria-labelledby")
    || one.textContent.trim() || [...(one.labels ?? [])].some((label) => label.textContent.trim())))
  .map((one) => one.outerHTML.slice(0, 80))`;
