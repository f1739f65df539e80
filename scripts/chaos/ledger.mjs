// What a run has to show: one line each, with its figure and whether it holds.

export class Ledger {
  #lines = [];

  /** A line that must hold. */
  check(what, holds, figure) {
    this.#lines.push({ what, figure: String(figure), verdict: holds ? "ok" : "BROKEN" });
  }

  /** A figure that is reported and not judged. */
  note(what, figure) {
    this.#lines.push({ what, figure: String(figure), verdict: "" });
  }

  get broken() {
    return this.#lines.filter(({ verdict }) => verdict === "BROKEN").length;
  }

  print(title) {
    console.log(`\n${title}`);
    const width = Math.max(...this.#lines.map(({ what }) => what.length));
    for (const { what, figure, verdict } of this.#lines) {
      console.log(`  ${verdict.padEnd(6)}  ${what.padEnd(width)}  ${figure}`);
    }
  }
}

/** The value below which a share of the sorted values lies; NaN of nothing. */
export function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** The slope of the least-squares line through (x, y). */
export function slope(points) {
  const n = points.length;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const across = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return across / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

export const MIB = 1024 * 1024;
