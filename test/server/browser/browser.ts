/** A real browser for the tests of the page: opened pages say nothing on the console, or the test fails. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import type { Server } from "../../../src/server.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: String(process.env["CHROMIUM"]),
    args: ["--no-sandbox"],
  });
});
afterAll(() => browser?.close());

const contexts: { close(): Promise<void> }[] = [];
/** What the browser said against it; a test that is about that takes it out. */
export const complaints: string[] = [];
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
  expect(complaints.splice(0), "the browser's console").toEqual([]);
});

export async function open(
  server: Server,
  options: BrowserContextOptions = {},
  address: string = server.pageUrl,
): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1_180, height: 860 },
    locale: "en-US",
    ...options,
  });
  contexts.push(context);
  const page = await context.newPage();
  page.on("pageerror", ({ message }) => complaints.push(message));
  page.on("console", (message) => {
    // A refused picture is a failed request to the browser, and no failure of the page.
    if (message.type() === "error" && !message.text().includes("status of 4"))
      complaints.push(message.text());
  });
  await page.goto(address);
  return page;
}

export async function shot(page: Page, name: string): Promise<void> {
  const folder = process.env["SCREENSHOTS"];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.waitForTimeout(600); // the bars have grown by then
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

/** Texts whose contrast with what is behind them is below 4.5, in the browser. */
export const CONTRAST: string = `(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
    return layers;
  };
  const texts = [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
  return texts.flatMap((element) => {
    const layers = behind(element);
    const [a, b] = [light(paint([...layers, getComputedStyle(element).color])), light(paint(layers))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    return ratio < 4.5 ? [element.textContent.trim().slice(0, 30) + " " + ratio.toFixed(2)] : [];
  });
})()`;
