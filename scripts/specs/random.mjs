import { Random } from "../chaos/random.mjs";

/** Specs that no published weights have: heights and widths, black borders, every filter, odd means and deviations. */
export function randomSpecs(seed, count) {
  const random = new Random(seed);
  const side = () => random.integer(1, random.pick([40, 300, 500]));
  const sides = () => random.pick([side, () => [side(), side()]])();
  const odd = () => random.pick([0, 0.5, -0.75, random.next(), 100 * random.next()]);
  return Array.from({ length: count }, () => ({
    resize: sides(),
    crop: sides(),
    mean: [odd(), odd(), odd()],
    std: [odd() || 1, odd() || 1e-30, odd() || -3],
    interpolation: random.pick(["nearest", "bilinear", "bicubic"]),
  }));
}
