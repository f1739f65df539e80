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
    draw("noise", 640, 480, noise),
    draw("extremes", 333, 500, extreme),
    draw("stripes", 500, 375, (at) => (Math.floor(at / 9) % 2 ? 250 : 3)),
    draw("ramp", 301, 223, (at) => (at * 7) % 256),
    draw("one pixel", 1, 1, noise),
    draw("one column", 1, 37, extreme),
    draw("one row", 41, 1, noise),
    draw("odd", 257, 255, extreme),
    draw("the usual size", 256, 256, noise),
    draw("tall", 300, 700, noise),
    draw("wide", 1280, 720, extreme),
  ];
  const photographs = PHOTOGRAPHS.map((name) => ({ name, file: readFileSync(new URL(name, FOLDER)) }));
  return [...drawn, ...photographs];
}

/** @param {(at: number) => number} valueAt the byte at a place. */
function draw(name, width, height, valueAt) {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, at) => valueAt(at));
  return { name: `${name} ${width} x ${height}`, pixels: { data, width, height } };
}
