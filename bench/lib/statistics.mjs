// Medians and quartiles: on a shared machine a mean tells more of the neighbours than of the code.

/** The value below which the share `q` of the values lies, interpolated between neighbours. NaN of nothing. */
export function quantile(values, q) {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * q;
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

export function median(values) {
  return quantile(values, 0.5);
}

/**
 * Two competitors that took turns, one pair per round.
 *
 * @param pairs `{ ours, rival }`, both in the same unit.
 * @returns medians of both, the median of each round's ratio ours / rival, and its quartiles.
 */
export function compare(pairs) {
  const ratios = pairs.map(({ ours, rival }) => ours / rival);
  return {
    value: median(pairs.map(({ ours }) => ours)),
    rival: median(pairs.map(({ rival }) => rival)),
    ratio: median(ratios),
    spread: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
    ratios,
  };
}

/**
 * The slope of a line through points `[x, y]` that a few outliers do not move: the median of the slopes of all pairs
 * (Theil and Sen).
 */
export function slope(points) {
  const slopes = [];
  for (const [i, [x, y]] of points.entries()) {
    for (const [otherX, otherY] of points.slice(i + 1)) {
      if (otherX !== x) slopes.push((otherY - y) / (otherX - x));
    }
  }
  return median(slopes);
}

/**
 * The step at which throughput falls most, or rises least.
 *
 * @param throughputs with rising load.
 * @returns the throughput of that step as `ours`, the best with less load as `rival`.
 */
export function worstStep(throughputs) {
  const steps = throughputs
    .slice(1)
    .map((ours, i) => ({ ours, rival: Math.max(...throughputs.slice(0, i + 1)) }));
  return steps.toSorted((a, b) => a.ours / a.rival - b.ours / b.rival)[0];
}
