import { describe, expect, test } from "vitest";
import { page, report } from "./bench.ts";

const { absent, atLeast, atMost, measured, toJson, toText } = report;
const MACHINE = { cpu: "a <fast> one", cores: 2, command: "npm run bench" };
const PAIRS = [
  { ours: 12, rival: 10 },
  { ours: 11, rival: 10 },
  { ours: 13, rival: 10 },
];
const GOOD = measured("a case that holds", "pictures/s", PAIRS, atLeast(1.05), { note: "a note" });
const BAD = measured("a case that does not", "ms", PAIRS, atMost(0.8));
const NONE = absent("a case that is not there", "pictures/s", atLeast(2.2), "not built");
const ONLY = measured("a case without a goal", "pictures/s", PAIRS, null);
const ROWS = [GOOD, BAD, NONE, ONLY];

describe("a goal", () => {
  test("is met or missed by the ratio, in its own direction", () => {
    expect(ROWS.map(({ met }) => met)).toEqual([true, false, false, null]);
  });

  test("is missed where less was measured than it asks for", () => {
    expect(measured("short", "ms", PAIRS, atLeast(1), { withheld: true }).met).toBe(false);
  });
});

describe("the JSON", () => {
  const { machine, cases } = toJson(MACHINE, ROWS);

  test("has the machine, and per case the eight keys in their order; a note where there is one", () => {
    const keys = ["name", "value", "unit", "rival", "ratio", "spread", "goal", "met"];
    expect(machine).toEqual(MACHINE);
    expect(Object.keys(cases[0] ?? {})).toEqual([...keys, "note"]);
    expect(JSON.parse(JSON.stringify(cases[3]))).toEqual({
      name: "a case without a goal",
      value: 12,
      unit: "pictures/s",
      rival: 10,
      ratio: 1.2,
      spread: [1.15, 1.25],
      goal: null,
      met: null,
    });
  });

  test("has no figure for what was not measured", () => {
    expect(cases[2]).toEqual({
      name: "a case that is not there",
      value: null,
      unit: "pictures/s",
      rival: null,
      ratio: null,
      spread: null,
      goal: "ratio >= 2.2",
      met: false,
      note: "not built",
    });
  });
});

describe("the table", () => {
  const text = toText(MACHINE, ROWS);

  test("stands under the machine and over the notes", () => {
    expect(text.split("\n").slice(0, 4)).toEqual([
      "cpu: a <fast> one",
      "cores: 2",
      "command: npm run bench",
      "",
    ]);
    expect(text).toMatch(/\* a case that is not there: not built\n$/);
  });

  test("has its columns under each other", () => {
    const [head = "", rule = "", ...lines] = text.split("\n").slice(4, 10);
    const column = head.indexOf("ratio");
    expect(rule).toMatch(/^[- ]+$/);
    expect(lines.map((line) => line.slice(column, column + 5).trim())).toEqual([
      "1.200",
      "1.200",
      "-",
      "1.200",
    ]);
  });
});

describe("the page", () => {
  const html = page.toHtml(MACHINE, ROWS);

  test("loads nothing and runs nothing", () => {
    expect(html).not.toMatch(/<script|<link|https?:|url\(|@import/);
  });

  test("shows texts as texts", () => {
    expect(html).toContain("a &lt;fast> one");
  });

  test("has a plot for each case that was measured, with finite places", () => {
    expect(html.match(/<svg/g)).toHaveLength(3);
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
  });

  test("draws a curve where there is one", () => {
    const curve = { title: "MiB", points: [[1, 100] as const, [2, 100] as const] };
    const row = measured("flat", "MiB", [{ ours: 100, rival: 100 }], atMost(1.05), { curve });
    expect(page.toHtml(MACHINE, [row])).toContain("<polyline");
    expect(page.toHtml(MACHINE, [row])).not.toMatch(/NaN|Infinity|undefined/);
  });
});
