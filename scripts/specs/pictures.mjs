// Fifteen pictures on which resizes part, if they do: noise, extremes, thin ones, odd sizes, photographs.
import { readFileSync } from "node:fs";
import { Random } from "../chaos/random.mjs";

const PHOTOGRAPHS = ["landscape.jpg", "balloons.jpg", "dog.webp", "fruit.png"];
const FOLDER = new URL("../../examples/images/", import.meta.url);

/** Each has a `name`, and `pixels` (RGB) or a `file` (its bytes). */
export function picturesOf(seed) {
  const random = new Random(seed);
  const noise = () => random.integer(0, 255);
  const extreme = () => 255 * random.integer(0, 1);
  const drawn = [
    ["noise", 640, 480, noise],
    ["extremes", 333, 500, extreme],
    ["stripes", 500, 375, (at) => (Math.floor(at / 9) % 2 ? 250 : 3)],
    ["ramp", 301, 223, (at) => (at * 7) % 256],
    ["one pixel", 1, 1, noise],
    ["one column", 1, 37, extreme],
    ["one row", 41, 1, noise],
    ["odd", 257, 255, extreme],
    ["the usual size", 256, 256, noise],
    ["tall", 300, 700, noise],
    ["wide", 1280, 720, extreme],
  ];
  return [
    ...drawn.map(([name, width, height, valueAt]) => {
      const data = Uint8Array.from({ length: width * height * 3 }, (_, at) => valueAt(at));
      return { name: `${name} ${width} x ${height}`, pixels: { data, width, height } };
    }),
    ...PHOTOGRAPHS.map((name) => ({ name, file: readFileSync(new URL(name, FOLDER)) })),
  ];
}
