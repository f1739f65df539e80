// JPEGs that cost about as much to decode as photographs: noise in octaves, seeded, so that each run has the same.
import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

const CACHE = fileURLToPath(new URL("../../node_modules/.cache/isotorch-bench/", import.meta.url));
const EXAMPLES = fileURLToPath(new URL("../../examples/images/", import.meta.url));

/** Where the benchmark keeps what it makes: pictures, the exported network, the untrained checkpoint. */
export function cacheFolder() {
  mkdirSync(CACHE, { recursive: true });
  return CACHE;
}

/** Sizes of the preprocessing case, smallest first. */
export const SIZES = [
  { megapixels: 0.3, width: 640, height: 480 },
  { megapixels: 2, width: 1632, height: 1224 },
  { megapixels: 12, width: 4000, height: 3000 },
];

/** The pictures of the throughput cases: the examples, and `count` generated ones of 1280 x 720. */
export async function pictureSet(count) {
  const examples = readdirSync(EXAMPLES)
    .toSorted()
    .map((name) => join(EXAMPLES, name));
  const generated = [];
  for (let seed = 1; seed <= count; seed++) generated.push(await picture(1280, 720, seed));
  return [...examples, ...generated];
}

/** The path of a JPEG of this size. */
export async function picture(width, height, seed) {
  const path = join(cacheFolder(), `${width}x${height}-${seed}.jpg`);
  if (existsSync(path)) return path;
  const random = xorshift(seed);
  const layer = (cells) => {
    const columns = Math.max(2, Math.round(width / cells));
    const rows = Math.max(2, Math.round(height / cells));
    const data = Uint8Array.from({ length: columns * rows * 3 }, () => random() % 256);
    return sharp(data, { raw: { width: columns, height: rows, channels: 3 } })
      .resize(width, height, { fit: "fill", kernel: "cubic" })
      .png({ compressionLevel: 0 })
      .toBuffer();
  };
  const coarse = await layer(width / 5);
  const finer = await Promise.all([width / 40, 12, 3].map(layer));
  const partial = `${path}.part`;
  await sharp(coarse)
    .composite(finer.map((input) => ({ input, blend: "soft-light" })))
    .removeAlpha()
    .jpeg({ quality: 85 })
    .toFile(partial);
  renameSync(partial, path);
  return path;
}

function xorshift(seed) {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 8;
  };
}
