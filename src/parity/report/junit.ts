/** The report for CI: JUnit XML, one test case per picture and handoff. Format: the schema of Jenkins' JUnit plugin. */
import { networkRows, rungText, verdictText } from "./words.ts";
import { shownName } from "../../base/text/names.ts";
import type { PictureReport } from "./picture.ts";
import type { ParityReport } from "./summary.ts";

/** A `<testsuites>` document. A divergence is a failure; a picture that both sides refuse is skipped. */
export function junitReport({ pictures, summary, ours, reference, weights }: ParityReport): string {
  const failures = summary.verdicts.diverged + summary.verdicts.tampered;
  const skipped = summary.verdicts.refused;
  const counts = `tests="${pictures.length}" failures="${failures}" errors="0" skipped="${skipped}"`;
  const versions = [ours, reference].flatMap((side) =>
    Object.entries(side.versions).map(([name, version]) => ({ name: `${side.name} ${name}`, version })),
  );
  const facts = [...networkRows(weights).map(([name, version]) => ({ name, version })), ...versions];
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="isotorch parity" ${counts}>`,
    `  <testsuite name="isotorch parity" ${counts}>`,
    "    <properties>",
    ...facts.map(
      ({ name, version }) => `      <property name="${escapeXml(name)}" value="${escapeXml(version)}"/>`,
    ),
    "    </properties>",
    ...pictures.map(testCase),
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

function testCase(picture: PictureReport): string {
  const { input, kind, handoff, verdict } = picture;
  const opening = `    <testcase classname="${escapeXml(`parity.${handoff}`)}" name="${escapeXml(`${shownName(input)} (${kind})`)}"`;
  const said = escapeXml(verdictText(picture));
  if (verdict === "equal" || verdict === "close") return `${opening}/>`;
  const inside =
    verdict === "refused"
      ? `      <skipped message="${said}"/>`
      : `      <failure type="${verdict}" message="${said}">${escapeXml(detailOf(picture))}</failure>`;
  return `${opening}>\n${inside}\n    </testcase>`;
}

function detailOf({ rungs }: PictureReport): string {
  const lines = rungs.map((rung) => `${rung.stage}: ${rung.outcome}, ${rungText(rung)}`);
  const torch = rungs.flatMap((rung) => (rung.outcome === "differs" ? (rung.closeness?.message ?? []) : []));
  return [...lines, ...torch].join("\n");
}

/** Text for an attribute or an element. What XML 1.0 cannot hold at all becomes U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("\n", "&#10;");
}
