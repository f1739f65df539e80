/** The report for eyes: one self-contained file, no script, nothing loaded from elsewhere. */
import { STAGES } from "../stages.ts";
import { pictureSection } from "./html-picture.ts";
import { htmlDocument } from "./html-document.ts";
import { escapeXml as text } from "./junit.ts";
import { countsText, grouped, networkRows, summaryText } from "./words.ts";
import type { ParityReport, Summary } from "./summary.ts";

/** A whole HTML document. Diverging pictures come first and stand open. */
export function htmlReport(report: ParityReport): string {
  const { summary, pictures } = report;
  const byVerdict = pictures.toSorted((a, b) => Number(isFine(a.verdict)) - Number(isFine(b.verdict)));
  return htmlDocument({
    title: `Parity: ${summary.passed ? "passed" : "failed"}`,
    allows: "img-src data:",
    body: `<header class="${summary.passed ? "good" : "bad"}">
<h1>Parity ${summary.passed ? "passed" : "failed"}</h1>
<p>${text(summaryText(summary))}.</p>
</header>
<main>
${overview(report)}
<h2>Pictures</h2>
${byVerdict.map(pictureSection).join("\n")}
</main>
<footer>isotorch ${text(report.isotorch)}</footer>`,
  });
}

function isFine(verdict: string): boolean {
  return verdict === "equal" || verdict === "close" || verdict === "refused";
}

function overview({ summary, ours, reference, weights, tolerance, source }: ParityReport): string {
  const names = [...new Set([...Object.keys(ours.versions), ...Object.keys(reference.versions)])];
  const versions = names.map((name) => [name, ours.versions[name] ?? "–", reference.versions[name] ?? "–"]);
  const asked = tolerance ? `rtol ${tolerance.rtol}, atol ${tolerance.atol}` : "not one bit";
  return `<div class="columns">
<section><h2>Stages</h2>${stagesTable(summary)}</section>
<section><h2>Both sides</h2>
${table(
  ["", ours.name, reference.name],
  [
    ...versions,
    ["device", ours.device, reference.device],
    ["threads", String(ours.threads ?? "–"), String(reference.threads ?? "–")],
    ["checkpoint read by", ours.loadedBy ?? "–", reference.loadedBy ?? "–"],
  ],
)}</section>
<section><h2>What was compared</h2>
${table(
  ["", ""],
  [
    ...networkRows(weights),
    ["tolerated", asked],
    ["reference", source === "live" ? "run beside it" : "golden files"],
    ...Object.entries(summary.handoffs).map(([name, counts]) => [`handoff ${name}`, countsText(counts)]),
  ],
)}</section>
<section><h2>Kinds</h2>
${table(
  ["kind", "result"],
  Object.entries(summary.kinds).map(([kind, counts]) => [kind, countsText(counts)]),
)}</section>
</div>`;
}

function stagesTable({ stages }: Summary): string {
  const rows = STAGES.map((stage) => {
    const { compared, skipped, differing, values, differingValues } = stages[stage];
    const skips = skipped > 0 ? ` (${grouped(skipped)} skipped)` : "";
    return [
      stage,
      `${grouped(compared)}${skips}`,
      grouped(differing),
      grouped(values),
      grouped(differingValues),
    ];
  });
  return table(["stage", "compared", "differ", "values", "differing values"], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const titles = head.some((title) => title !== "")
    ? `<thead><tr>${head.map((title) => `<th>${text(title)}</th>`).join("")}</tr></thead>`
    : "";
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${text(cell)}</td>`).join("")}</tr>`);
  return `<table>${titles}<tbody>${body.join("")}</tbody></table>`;
}
