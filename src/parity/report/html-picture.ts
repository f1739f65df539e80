/** One picture of the HTML report: images, both sides' best classes, and the ladder. */
import { escapeXml as text } from "./junit.ts";
import { figure, rungText, verdictText } from "./words.ts";
import { pythonFloat } from "../compare/python-float.ts";
import type { Rung } from "../rung.ts";
import { shownName } from "../../base/text/names.ts";
import type { Guess, PictureReport } from "./picture.ts";

/** A `<details>` that is open where something diverged. */
export function pictureSection(picture: PictureReport): string {
  const { input, kind, handoff, verdict, rungs, agreement, nearTie } = picture;
  const bad = verdict === "diverged" || verdict === "tampered";
  const agreed = agreement
    ? `<p>Top-1 ${yes(agreement.top1)}, top-5 as a set ${yes(agreement.top5Set)}, in order ${yes(agreement.top5Order)}.${
        nearTie
          ? ` Nearest tie: rank ${nearTie.rank} and ${nearTie.rank + 1}, logits ${figure(nearTie.gap)} apart; a drift of ${figure(nearTie.drift)} in each would swap them.`
          : ""
      }</p>`
    : "";
  return `<details${bad ? " open" : ""} class="${bad ? "bad" : verdict}">
<summary><b>${text(shownName(input))}</b> <span>${text(kind)}</span> <span>${handoff}</span> <em>${text(verdictText(picture))}</em></summary>
<div class="figures">${figures(picture)}</div>
${agreed}
${rungs.length > 0 ? ladderTable(rungs) : ""}
${rungs.map(torchSays).join("")}
</details>`;
}

function yes(agrees: boolean): string {
  return agrees ? "agrees" : "<strong>differs</strong>";
}

function figures({ images = {}, top }: PictureReport): string {
  const { picture, crop, difference } = images;
  return [
    picture && image(picture, "the picture"),
    crop && image(crop, "what the network sees"),
    difference && image(difference.uri, difference.caption, "pixelated"),
    top && bars("isotorch", top.ours),
    top && bars("reference", top.reference),
  ]
    .filter((part) => part !== undefined)
    .join("\n");
}

function image(uri: string, caption: string, style = ""): string {
  return `<figure><img class="${style}" src="${uri}" alt="${text(caption)}" loading="lazy"><figcaption>${text(caption)}</figcaption></figure>`;
}

function bars(side: string, guesses: readonly Guess[]): string {
  const rows = guesses.map(({ label, percent }) => {
    const width = Number.isFinite(percent) ? Math.min(100, Math.max(0, percent)) : 0;
    return `<div class="bar"><i style="width:${width.toFixed(2)}%"></i><span>${text(label)}</span><b>${pythonFloat(percent)}</b></div>`;
  });
  return `<figure class="bars"><figcaption>${side}</figcaption>${rows.join("")}</figure>`;
}

function ladderTable(rungs: readonly Rung[]): string {
  return `<div class="scroll"><table><thead><tr><th>stage</th><th></th><th>made in</th><th>differing</th><th>largest</th><th>mean</th><th>ULP</th><th>cosine</th><th>atol needed</th><th>rtol needed</th></tr></thead>
<tbody>${rungs.map(ladderRow).join("")}</tbody></table></div>`;
}

function ladderRow(rung: Rung): string {
  const lead = `<tr class="${rung.outcome}"><th>${rung.stage}</th><td>${rung.outcome}</td>`;
  if (rung.outcome === "skipped") return `${lead}<td colspan="8">${text(rung.why)}</td></tr>`;
  const { comparison, closeness, where } = rung;
  if (comparison.kind === "shape-mismatch")
    return `${lead}<td>${where}</td><td colspan="7">${text(rungText(rung))}</td></tr>`;
  const { differing, total, largest, mean, ulp, cosine } = comparison;
  const note = rung.note === undefined ? "" : `<br>${text(rung.note)}`;
  const needed = (value: number | null): string => (value === null ? "none is enough" : figure(value));
  const cells = [
    where,
    `${figure(differing)} / ${figure(total)}${note}`,
    figure(largest),
    figure(mean),
    figure(ulp),
    figure(cosine),
    closeness ? needed(closeness.smallestAtol) : "",
    closeness ? needed(closeness.smallestRtol) : "",
  ];
  return `${lead}${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}

function torchSays(rung: Rung): string {
  if (rung.outcome !== "differs" || !rung.closeness?.message) return "";
  return `<p>${rung.stage}, in torch's words:</p><pre>${text(rung.closeness.message).replaceAll("&#10;", "\n")}</pre>`;
}
