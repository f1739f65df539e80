/** The report for a pull request or a notebook. */
import { STAGES } from "../stages.ts";
import { countsText, grouped, networkRows, summaryText, verdictText } from "./words.ts";
import { shownName } from "../../base/text/names.ts";
import type { PictureReport } from "./picture.ts";
import type { Counts, ParityReport, Summary } from "./summary.ts";

/** GitHub's Markdown. */
export function markdownReport(report: ParityReport): string {
  const { summary, ours, reference, weights, tolerance, pictures } = report;
  const names = [...new Set([...Object.keys(ours.versions), ...Object.keys(reference.versions)])];
  const asked = tolerance ? `rtol ${tolerance.rtol}, atol ${tolerance.atol}` : "not one bit";
  return [
    `# Parity: ${summary.passed ? "passed" : "FAILED"}`,
    "",
    `${summaryText(summary)}.`,
    "",
    ...table(["network", ""], [...networkRows(weights), ["tolerated", asked]]),
    "",
    "## Stages",
    "",
    ...stagesTable(summary),
    "",
    "## Kinds",
    "",
    ...countsTable("kind", summary.kinds),
    "",
    "## Handoffs",
    "",
    ...countsTable("handoff", summary.handoffs),
    "",
    "## Pictures",
    "",
    ...table(
      ["picture", "kind", "handoff", "result"],
      pictures.map((picture) => [
        shownName(picture.input),
        picture.kind,
        picture.handoff,
        verdictText(picture),
      ]),
    ),
    ...torchMessages(pictures),
    "",
    "## Versions",
    "",
    ...table(
      ["", ours.name, reference.name],
      [
        ...names.map((name) => [name, ours.versions[name] ?? "", reference.versions[name] ?? ""]),
        ["device", ours.device, reference.device],
        ["threads", String(ours.threads ?? ""), String(reference.threads ?? "")],
        ["checkpoint read by", ours.loadedBy ?? "", reference.loadedBy ?? ""],
      ],
    ),
    "",
  ].join("\n");
}

function stagesTable({ stages }: Summary): string[] {
  const rows = STAGES.map((stage) => {
    const { compared, skipped, differing, values, differingValues } = stages[stage];
    return [stage, ...[compared, skipped, differing, values, differingValues].map(grouped)];
  });
  return table(["stage", "compared", "skipped", "with a difference", "values", "differing values"], rows);
}

function countsTable(name: string, groups: Readonly<Record<string, Counts>>): string[] {
  return table(
    [name, "result"],
    Object.entries(groups).map(([key, counts]) => [key, countsText(counts)]),
  );
}

function torchMessages(pictures: readonly PictureReport[]): string[] {
  const said = pictures.flatMap(({ input, handoff, rungs }) =>
    rungs.flatMap((rung) =>
      rung.outcome === "differs" && rung.closeness?.message
        ? [`${shownName(input)}, ${handoff}, ${rung.stage}:`, "", "```", rung.closeness.message, "```", ""]
        : [],
    ),
  );
  return said.length === 0 ? [] : ["", "## What torch.testing.assert_close says", "", ...said];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}

/** Text that cannot break out of its cell or become markup. */
function cell(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>|]/g, String.raw`\$&`).replaceAll(/[\r\n]+/g, " ");
}
