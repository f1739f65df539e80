// The tables of `npm run compat`, in Markdown. A check that was not run is a dash.
import { HANDOFFS } from "./checks.mjs";

/** What each environment is made of, what it gave in itself, and how they differ from the first. */
export function tables(rows) {
  const [first, ...others] = rows;
  const compared = others.filter(({ against }) => against !== undefined);
  const parts = [versionTable(rows), resultTable(rows)];
  if (compared.length > 0) parts.push(betweenTable(first, compared));
  return parts.join("\n");
}

function versionTable(rows) {
  const head = ["environment", "Python", "torch", "BLAS", "oneDNN", "CPU kernels", "torchvision", "Pillow", "libjpeg", "NumPy"]; // prettier-ignore
  const cells = rows.map(({ name, versions: v }) => [
    name,
    v.python,
    v.torch,
    v.blas,
    v.onednn,
    v.cpu,
    v.torchvision,
    v.pillow,
    v.libjpeg,
    v.numpy,
  ]);
  return table(head, cells);
}

function resultTable(rows) {
  const ladders = HANDOFFS.map((handoff) => `ladder, ${handoff}`);
  const head = ["environment", "attested", "worker's tests", "beside `plain.py`", "tutorial", ...ladders];
  const cells = rows.map((row) => [
    row.name,
    attestedText(row.attested),
    row.tests ? testsText(row.tests) : "–",
    row.plain ? plainText(row.plain) : "–",
    row.tutorial ? (row.tutorial.ok ? "the same" : "**differs**") : "–",
    ...HANDOFFS.map((handoff) => (row.ladder ? verdictsText(row.ladder.verdicts[handoff]) : "–")),
  ]);
  return table(head, cells);
}

function attestedText({ node, worker, resize = {} } = {}) {
  if (!Array.isArray(worker)) return "–";
  const left = worker.length > 0 ? `left to Pillow: ${worker.join(", ")}` : "nothing left to Pillow";
  const vertical = Object.keys(resize).filter((name) => resize[name] === "vertical");
  const order = vertical.length > 0 ? `; vertically first: ${vertical.join(", ")}` : "";
  return `${node.length} kinds and steps by Node; ${left}${order}`;
}

function testsText({ passed, failed, skipped }) {
  const counts = [
    `${passed} passed`,
    failed && `**${failed} failed**`,
    skipped && `${skipped} skipped or expected to fail`,
  ];
  return counts.filter(Boolean).join(", ");
}

function plainText({ plains }) {
  return plains
    .map(({ checkpoint, answers, differing }) => `${answers - differing} of ${answers} equal (${checkpoint})`)
    .join("; ");
}

function verdictsText(verdicts) {
  const said = Object.entries(verdicts).filter(([, count]) => count > 0);
  return said
    .map(([verdict, count]) => `${count} ${verdict === "refused" ? "refused by both" : verdict}`)
    .join(", ");
}

function betweenTable(first, others) {
  const head = ["isotorch in", "plain PyTorch in", "equal", "first to differ", "largest logit difference", "same tensor", "best class"]; // prettier-ignore
  const cells = others.map(({ name, against }) => [
    first.name,
    name,
    verdictsText({ equal: against.verdicts.equal, refused: against.verdicts.refused }),
    against.firstDivergences.map(([stage, count]) => `${stage} ${count}×`).join(", ") || "none",
    rounded(against.largest),
    `${rounded(against.sameTensor.largest)} (${against.sameTensor.pictures} pictures)`,
    `${against.agreeing} of ${against.answered} agree`,
  ]);
  return table(head, cells);
}

function rounded(value) {
  return String(Number(value.toPrecision(3)));
}

/** Markdown, padded as the formatter pads it. */
function table(head, rows) {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |\n`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("");
}
