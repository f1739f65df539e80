// The tables of `npm run compat`, in Markdown.
export const HANDOFFS = ["tensor", "pixels", "encoded"];

/** What each environment is made of. */
export function versionTable(environments) {
  const head = ["environment", "Python", "torch", "oneDNN", "CPU kernels", "torchvision", "Pillow", "libjpeg-turbo", "NumPy"]; // prettier-ignore
  const rows = environments.map(({ name, versions: v }) => [
    name,
    v.python,
    v.torch,
    v.onednn,
    v.cpu,
    v.torchvision,
    v.pillow,
    v.libjpeg,
    v.numpy,
  ]);
  return table(head, rows);
}

/** What each environment gave, compared with plain PyTorch in itself. */
export function resultTable(rows) {
  const ladders = HANDOFFS.map((handoff) => `ladder, ${handoff}`);
  const head = ["environment", "worker's tests", "beside `plain.py`", "tutorial", ...ladders];
  return table(
    head,
    rows.map(({ name, tests: { passed, failed, skipped }, plain, tutorial: same, ladder }) => [
      name,
      [
        `${passed} passed`,
        failed && `**${failed} failed**`,
        skipped && `${skipped} skipped or expected to fail`,
      ]
        .filter(Boolean)
        .join(", "),
      plain
        .map(
          ({ checkpoint, answers, differing }) =>
            `${answers - differing} of ${answers} equal (${checkpoint})`,
        )
        .join("; "),
      same ? "the same" : "**differs**",
      ...HANDOFFS.map((handoff) => verdicts(ladder.handoffs[handoff])),
    ]),
  );
}

function verdicts(counts) {
  const said = Object.entries(counts).filter(([, count]) => count > 0);
  return said
    .map(([verdict, count]) => `${count} ${verdict === "refused" ? "refused by both" : verdict}`)
    .join(", ");
}

/** Where two environments part: the first stage of each picture, and the largest difference of its logits. */
export function betweenTable(pairs) {
  const head = ["isotorch in", "plain PyTorch in", "equal", "first to differ", "largest logit difference", "same tensor", "best class"]; // prettier-ignore
  return table(
    head,
    pairs.map(({ from, to, pictures, summary }) => {
      const rungs = pictures.map((picture) => new Map(picture.rungs.map((rung) => [rung.stage, rung])));
      const largest = (chosen) =>
        Math.max(0, ...chosen.map((stages) => stages.get("logits")?.comparison?.largest ?? 0));
      const sameTensor = rungs.filter((stages) => stages.get("normalized")?.outcome === "equal");
      const parted = new Map();
      for (const { firstDivergence: stage } of pictures)
        if (stage !== null) parted.set(stage, (parted.get(stage) ?? 0) + 1);
      const answered = pictures.filter(({ agreement }) => agreement !== undefined);
      const agreeing = answered.filter(({ agreement }) => agreement.top1).length;
      return [
        from,
        to,
        verdicts({ equal: summary.verdicts.equal, refused: summary.verdicts.refused }),
        [...parted].map(([stage, count]) => `${stage} ${count}×`).join(", ") || "none",
        String(largest(rungs)),
        `${largest(sameTensor)} (${sameTensor.length} pictures)`,
        `${agreeing} of ${answered.length} agree`,
      ];
    }),
  );
}

/** Markdown, padded as the formatter pads it. */
function table(head, rows) {
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => row[column].length), 3, title.length),
  );
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |\n`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("");
}
