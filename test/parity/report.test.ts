import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { decode } from "../../src/image/decode/decode.ts";
import { writePng } from "../../src/image/png.ts";
import { htmlReport } from "../../src/parity/report/html.ts";
import { differenceImage } from "../../src/parity/report/images.ts";
import { jsonReport } from "../../src/parity/report/json.ts";
import { junitReport } from "../../src/parity/report/junit.ts";
import { markdownReport } from "../../src/parity/report/markdown.ts";
import { condense } from "../../src/parity/report/picture.ts";
import { summarise } from "../../src/parity/report/summary.ts";
import type { ParityReport } from "../../src/parity/report/summary.ts";
import { summaryText, verdictText } from "../../src/parity/report/words.ts";
import { checkReportName } from "../../src/parity/report/write.ts";
import type { Refusal } from "../../src/parity/stages.ts";
import { PYTHON } from "../python.ts";
import { changed, compared, flat, side, trace, WEIGHTS } from "./traces.ts";

const REFUSED: Refusal = { kind: "refused", code: "DECODE_FAILED", message: 'a "cut" <file>\u0000 & more' };
const EVIL = `]]><img src=x onerror="a()">|*&'.jpg`;

const CONDENSED = [
  compared(trace(), trace(), "equal.jpg"),
  compared(trace(changed("resized", 100, 1)), trace(), "resized.jpg"),
  compared(trace(changed("logits", 0, Number.NaN)), trace(), "nan.jpg"),
  compared(trace({ resized: flat(9, 9) }), trace(), "shape.jpg"),
  compared(trace(), REFUSED, EVIL),
  compared(REFUSED, REFUSED, "both.jpg"),
].map((one) => condense(one, { images: "all" }));
const PICTURES = (await Promise.all(CONDENSED)).flat();

const REPORT: ParityReport = {
  isotorch: "1.0.0",
  source: "live",
  ours: side("isotorch"),
  reference: side("plain <PyTorch>"),
  weights: WEIGHTS,
  tolerance: null,
  summary: summarise(PICTURES),
  pictures: PICTURES,
};

/** Parsed by another library than the one that wrote it. */
function xmlFacts(xml: string): { cases: number; failures: string[]; skipped: number; counted: string } {
  const code = `
import json, sys
from xml.etree import ElementTree
root = ElementTree.fromstring(sys.stdin.buffer.read())
print(json.dumps({
  "cases": len(root.findall(".//testcase")),
  "failures": [case.get("name") for case in root.findall(".//testcase") if case.find("failure") is not None],
  "skipped": len(root.findall(".//skipped")),
  "counted": root.get("failures"),
}))`;
  return JSON.parse(execFileSync(PYTHON, ["-c", code], { input: xml, encoding: "utf8" }));
}

describe("a report's name with an unknown ending", () => {
  test("is refused before anything runs", () => {
    expect(() => checkReportName("parity.pdf")).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => checkReportName("html")).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  });
});

describe("the summary", () => {
  test("counts verdicts, and names what differs first by how often it does", () => {
    const { summary } = REPORT;
    expect(summary.passed).toBe(false);
    expect(summary.verdicts).toEqual({ equal: 1, close: 0, refused: 1, tampered: 0, diverged: 4 });
    expect(summary.firstDivergences).toEqual([
      ["resized", 2],
      ["decoded", 1],
      ["logits", 1],
    ]);
    expect(summary.stages.resized).toMatchObject({ compared: 4, differing: 2, differingValues: 1 });
    expect(summaryText(summary)).toBe(
      "6 pictures: 1 equal, 1 refused by both, 4 diverged; first to differ: resized 2×, decoded 1×, logits 1×",
    );
  });

  test("says in one line where a picture diverged and by how much", () => {
    expect(verdictText(PICTURES[1]!)).toMatch(/^diverged at resized: 1 of 261,888 values, by up to \d+$/);
    expect(verdictText(PICTURES[2]!)).toBe("diverged at logits: 1 of 7 values, by up to nan (inf ULP)");
    expect(verdictText(PICTURES[5]!)).toBe("refused by both: DECODE_FAILED / DECODE_FAILED");
  });
});

describe("JUnit XML", () => {
  test("is well-formed whatever a file is called, and counts what failed", () => {
    const facts = xmlFacts(junitReport(REPORT));
    expect(facts).toMatchObject({ cases: 6, skipped: 1, counted: "4" });
    expect(facts.failures).toContain(`${EVIL} (jpeg RGB)`);
  });

  test("holds lone surrogates and control characters as replacement characters", () => {
    const pictures = PICTURES.slice(0, 1).map((one) => ({ ...one, input: "a\uD800\u0007b.jpg" }));
    expect(xmlFacts(junitReport({ ...REPORT, pictures })).cases).toBe(1);
  });
});

describe("HTML", () => {
  const html = htmlReport(REPORT);

  test("loads nothing and runs nothing", () => {
    expect(html).not.toMatch(/<(script|link|iframe|object|embed)\b|@import|url\(|https?:/i);
    for (const [, source] of html.matchAll(/src="([^"]*)"/g))
      expect(source).toMatch(/^data:image\/png;base64,/);
    expect(html).toContain("default-src 'none'");
  });

  test("shows a hostile file name as text", () => {
    expect(html).not.toContain("<img src=x");
    expect(html).toContain("]]&gt;&lt;img src=x");
  });

  test("closes what it opens", () => {
    for (const tag of ["details", "table", "tbody", "tr", "td", "figure", "div", "section", "main", "pre"]) {
      const count = (pattern: string): number => html.match(new RegExp(pattern, "g"))?.length ?? 0;
      expect(`${tag} ${count(`<${tag}[ >]`)}`).toBe(`${tag} ${count(`</${tag}>`)}`);
    }
  });

  test("puts what diverged first and open, with its difference image", () => {
    const [first] = html.match(/<details[\s\S]*?<\/details>/g) ?? [];
    expect(first).toContain("<details open");
    expect(first).toContain("resized.jpg");
    for (const shown of [
      "the picture",
      "what the network sees",
      "resized: black is equal",
      "tench",
      "shark",
    ]) {
      expect(first).toContain(shown);
    }
  });

  test("quotes torch for a float stage", () => {
    expect(html).toContain("Mismatched elements: 1 / 7 (14.3%)");
    expect(html).toContain("Greatest absolute difference: nan at index (0,) (up to 1e-05 allowed)");
  });
});

describe("the other reports", () => {
  test("JSON has every figure, no image, and words for what JSON has no number for", () => {
    const read = JSON.parse(jsonReport(REPORT));
    expect(read.pictures[2].rungs[6].comparison).toMatchObject({
      differing: 1,
      largest: "NaN",
      ulp: "Infinity",
    });
    expect(jsonReport(REPORT)).not.toContain("data:image");
  });

  test("Markdown keeps its tables whatever a file is called", () => {
    const lines = markdownReport(REPORT).split("\n");
    const row = lines.find((line) => line.includes("onerror"));
    expect(row?.match(/(?<!\\)\|/g)).toHaveLength(5);
    expect(row).toContain(String.raw`\<img`);
  });
});

describe("PNG", () => {
  test.each([1, 3] as const)("with %i channels is read back byte for byte", async (channels) => {
    const data = Uint8Array.from({ length: 7 * 5 * channels }, (_, index) => (index * 37) % 256);
    const read = await decode(await writePng({ data, width: 7, height: 5, channels }));
    const grey = Uint8Array.from({ length: 105 }, (_, index) => data[Math.floor(index / 3)]!);
    expect(read).toEqual({ data: channels === 3 ? data : grey, width: 7, height: 5 });
  });

  test("one differing pixel of a large picture stays visible in the difference image", () => {
    const [ours, reference] = [flat(3000, 2000), flat(3000, 2000)];
    ours.data[(1500 * 3000 + 2700) * 3 + 1] = 93;
    const { bitmap, largest } = differenceImage("decoded", ours, reference);
    expect(Math.max(bitmap.width, bitmap.height)).toBeLessThanOrEqual(512);
    expect(largest).toBe(3);
    expect(bitmap.data.indexOf(255)).toBe(Math.floor(1500 / 6) * bitmap.width + Math.floor(2700 / 6));
    expect(bitmap.data.filter((value) => value > 0)).toHaveLength(1);
  });
});
