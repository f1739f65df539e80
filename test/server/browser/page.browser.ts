/** The page in a real browser, in front of a fake classifier. `npm run test:browser` runs it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BrowserContextOptions, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { IsotorchError } from "../../../src/index.ts";
import type { Classifier } from "../../../src/index.ts";
import { createFakeClassifier } from "../../../src/testing.ts";
import { closing, send, serve } from "../serve.ts";
import { CONTRAST, complaints, open, shot } from "./browser.ts";

const EXAMPLES = fileURLToPath(new URL("../../../examples/images/", import.meta.url));
const [BALLOONS, DOG, FRUIT] = ["balloons.jpg", "dog.webp", "fruit.png"].map((name) =>
  join(EXAMPLES, name),
) as [string, string, string];
const README = fileURLToPath(new URL("../../../README.md", import.meta.url));

/** The tutorial's published percentages. */
const TOP = [
  { index: 207, label: "golden retriever", score: 0.9629334, percent: 96.29334259033203 },
  { index: 208, label: "Labrador retriever", score: 0.0280812, percent: 2.80812406539917 },
  {
    index: 219,
    label: "cocker spaniel, English cocker spaniel, cocker",
    score: 0.0028267,
    percent: 0.28267428278923035,
  },
  { index: 168, label: "redbone", score: 0.0020863, percent: 0.2086310237646103 },
  { index: 852, label: "tennis ball", score: 0.0011621, percent: 0.11621569042084 },
];

async function fakeDog(failWith?: () => IsotorchError | undefined): Promise<Classifier> {
  const answer = {
    top: TOP,
    timings: { read: 0.1, worker: 112, queue: 0.2, prepare: 0.6, forward: 108.3, rank: 0.4 },
  };
  return closing(
    await createFakeClassifier(() => answer, {
      latencyMs: 120,
      readImages: true,
      ...(failWith && { failWith }),
    }),
  );
}

const answered = (page: Page, count: number) =>
  page
    .locator('article[data-state="answered"]')
    .nth(count - 1)
    .waitFor();

describe("the token", () => {
  test("comes behind the # of the address, and is gone from it at once", async () => {
    const server = await serve({ classifier: await fakeDog() });
    const page = await open(server);
    await page.getByRole("button", { name: "Choose pictures" }).waitFor();
    expect(page.url()).toBe(`${server.url}/`);
    await page.reload();
    await page.getByRole("button", { name: "Choose pictures" }).waitFor();
  });

  test("is asked for where it is missing, and a wrong one is asked for again", async () => {
    const server = await serve({ classifier: await fakeDog() });
    const page = await open(server, {}, server.url);
    const field = page.getByLabel("This server wants its token.");
    await field.fill("not-the-right-token");
    await page.getByRole("button", { name: "Use it" }).click();
    await expect
      .poll(() =>
        field.evaluate((input) => (input as unknown as { validationMessage: string }).validationMessage),
      )
      .toMatch(/not the server's/);
    await field.fill(String(server.token));
    await page.getByRole("button", { name: "Use it" }).click();
    await page.getByRole("button", { name: "Choose pictures" }).waitFor();
  });
});

describe("pictures", () => {
  test("several at once: bars with every digit, the crop, timings, in whichever way they come", async () => {
    const server = await serve({ classifier: await fakeDog() });
    const page = await open(server);
    await page.setInputFiles("#file", [BALLOONS, DOG, FRUIT]);
    await answered(page, 3);
    const first = page.locator("article").first();
    expect(await first.locator(".percent").allTextContents()).toEqual(
      TOP.map(({ percent }) => String(percent)),
    );
    expect(await first.locator(".label").first().textContent()).toBe("golden retriever");
    const widths = await first
      .locator(".track i")
      .evaluateAll((bars) => bars.map((bar) => (bar as unknown as { style: { width: string } }).style.width));
    expect(widths[0]).toMatch(/^96\.29/);
    expect(
      await first
        .locator(".seen img")
        .evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth),
    ).toBe(224);
    expect(await first.locator(".timeline").textContent()).toMatch(/the network 108/);
    expect(await page.locator("#count").textContent()).toBe("3 pictures");
  });

  test("dropped and pasted ones are taken", async () => {
    const page = await open(await serve({ classifier: await fakeDog() }));
    await page.getByRole("button", { name: "Choose pictures" }).waitFor();
    const base64 = readFileSync(FRUIT).toString("base64");
    for (const kind of ["drop", "paste"]) {
      await page.evaluate(`{
        const bytes = Uint8Array.from(atob("${base64}"), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], "${kind}.png", { type: "image/png" }));
        const event = "${kind}" === "drop"
          ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
          : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
        document.body.dispatchEvent(event);
      }`);
    }
    await answered(page, 2);
    expect(await page.locator("#cards h2").allTextContents()).toEqual(["paste.png", "drop.png"]);
  });

  test("one that is none says so, with its code, and the others are answered", async () => {
    const page = await open(await serve({ classifier: await fakeDog() }));
    await page.setInputFiles("#file", [README, DOG]);
    await answered(page, 1);
    const alert = page.getByRole("alert");
    expect(await alert.textContent()).toMatch(/Not a picture.*UNSUPPORTED_FORMAT/);
    await page.getByRole("button", { name: "Remove: README.md" }).click();
    expect(await page.locator("article").count()).toBe(1);
    await page.getByRole("button", { name: "Clear" }).click();
    expect(await page.locator("article").count()).toBe(0);
  });

  test("a failure can be tried again", async () => {
    let failures = 1;
    const classifier = await fakeDog(() =>
      failures-- > 0 ? new IsotorchError("WORKER_DIED", "The worker died.") : undefined,
    );
    const page = await open(await serve({ classifier }));
    page.on("console", () => complaints.splice(0)); // 503 is what this test is about
    await page.setInputFiles("#file", DOG);
    await page.getByRole("button", { name: "Try again" }).click();
    await answered(page, 1);
  });

  test("a name of a file is text, whatever it says", async () => {
    const page = await open(await serve({ classifier: await fakeDog() }));
    const name = "<img src=x onerror=alert(1)>.png";
    await page.setInputFiles("#file", { name, mimeType: "image/png", buffer: readFileSync(FRUIT) });
    await answered(page, 1);
    expect(await page.locator("#cards h2").textContent()).toBe(name);
  });
});

describe("the worker's state", () => {
  test("is live, and the server's end is seen", async () => {
    const classifier = await fakeDog();
    const server = await serve({ classifier });
    const page = await open(server);
    await expect.poll(() => page.locator("#phase").textContent()).toBe("ready");
    await page.locator("#status summary").click();
    expect(await page.locator("#facts").textContent()).toContain("Worker starts");
    await classifier.close();
    await expect.poll(() => page.locator("#phase").textContent()).toBe("stopped");
    await server.close();
    await expect.poll(() => page.locator("#phase").textContent()).toBe("the server does not answer");
    complaints.length = 0; // the connection that was refused
  });

  test("an untrained network is called that in plain words", async () => {
    const page = await open(await serve({ classifier: await fakeDog() }));
    await page.locator("#untrained").waitFor();
    expect(await page.locator("#untrained").textContent()).toMatch(/has learnt nothing/);
  });
});

describe("whoever looks", () => {
  test("reads Chinese where the browser does, and can switch; the choice stays", async () => {
    const page = await open(await serve({ classifier: await fakeDog() }), { locale: "zh-CN" });
    await page.getByRole("button", { name: "选择图片" }).waitFor();
    expect(await page.locator("html").getAttribute("lang")).toBe("zh-CN");
    await page.setInputFiles("#file", [README, DOG]);
    await answered(page, 1);
    expect(await page.getByRole("alert").textContent()).toContain("这不是可以读取的图片");
    await page.getByRole("button", { name: "English" }).click();
    await page.getByRole("button", { name: "Choose pictures" }).waitFor();
    expect(await page.locator("article .seen").textContent()).toContain("What the network sees");
    await page.reload();
    await page.getByRole("button", { name: "Choose pictures" }).waitFor();
  });

  test("gets everywhere with the keyboard alone", async () => {
    const page = await open(await serve({ classifier: await fakeDog() }));
    await page.setInputFiles("#file", DOG);
    await answered(page, 1);
    const reached: string[] = [];
    for (let step = 0; step < 7; step++) {
      await page.keyboard.press("Tab");
      reached.push(
        await page.evaluate("document.activeElement.textContent.trim() || document.activeElement.tagName"),
      );
    }
    expect(reached).toEqual([
      "ready",
      "English",
      "中文",
      "Choose pictures",
      "Clear",
      "×",
      expect.any(String),
    ]);
  });

  test.each([
    ["light-wide", { colorScheme: "light" }],
    ["dark-wide", { colorScheme: "dark" }],
    ["light-narrow", { colorScheme: "light", viewport: { width: 360, height: 780 } }],
    ["dark-narrow-zh", { colorScheme: "dark", viewport: { width: 360, height: 780 }, locale: "zh-CN" }],
  ] as [string, BrowserContextOptions][])("sees nothing cut off or too faint: %s", async (name, options) => {
    const page = await open(await serve({ classifier: await fakeDog() }), options);
    await page.locator("#steps").waitFor();
    expect(await page.locator("#steps li").allTextContents()).toEqual([
      "Resize(256)",
      "CenterCrop(224)",
      "ToTensor()",
      "Normalize()",
      "fake",
      "softmax",
    ]);
    const empty = await page.evaluate<[number, number]>("[document.documentElement.scrollWidth, innerWidth]");
    expect(empty[0]).toBeLessThanOrEqual(empty[1]);
    expect(await page.evaluate<string[]>(CONTRAST)).toEqual([]);
    await shot(page, `${name}-empty`);
    await page.setInputFiles("#file", [README, DOG]);
    await answered(page, 1);
    const wide = await page.evaluate<[number, number]>("[document.documentElement.scrollWidth, innerWidth]");
    expect(wide[0]).toBeLessThanOrEqual(wide[1]);
    const faint = await page.evaluate<string[]>(CONTRAST);
    expect(faint).toEqual([]);
    await shot(page, name);
  });
});

test("every file of the page comes from the server itself", async () => {
  const server = await serve({ classifier: await fakeDog() });
  const page = await open(server);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.reload();
  await page.getByRole("button", { name: "Choose pictures" }).waitFor();
  expect(asked.length).toBeGreaterThan(5);
  for (const url of asked) expect(url).toMatch(new RegExp(`^${server.url}/`));
  expect((await send(server, "/metrics")).body.toString()).not.toContain('status="404"');
});
