// Renders the example pictures of examples/images/. All of them are drawn here, from shapes and computed texture, so
// they may be used for anything. Run it again to get the same pictures.
//
//   node scripts/render-examples.mjs
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

const folder = new URL("../examples/images/", import.meta.url);

/** A seeded generator, so that the pictures do not change from run to run. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const svg = (width, height, body) =>
  Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${body}</svg>`,
  );

const stops = (...colours) =>
  colours.map((colour, i) => `<stop offset="${i / (colours.length - 1)}" stop-color="${colour}"/>`).join("");

/** Hair: many short strokes inside an ellipse, pointing away from its middle. */
function fur(random, cx, cy, rx, ry, count, colours) {
  let out = "";
  for (let i = 0; i < count; i++) {
    const angle = random() * 2 * Math.PI;
    const reach = Math.sqrt(random());
    const x = cx + Math.cos(angle) * rx * reach;
    const y = cy + Math.sin(angle) * ry * reach;
    const turn = Math.atan2(y - cy, x - cx) + (random() - 0.5) * 0.8;
    const length = 8 + random() * 18;
    const colour = colours[Math.floor(random() * colours.length)];
    const [dx, dy] = [(Math.cos(turn) * length).toFixed(1), (Math.sin(turn) * length + 4).toFixed(1)];
    out += `<path d="M${x.toFixed(1)} ${y.toFixed(1)}l${dx} ${dy}" stroke="${colour}"/>`;
  }
  return `<g stroke-width="2" stroke-linecap="round" opacity=".75">${out}</g>`;
}

const ear = (x, tilt) =>
  `<ellipse cx="${x}" cy="330" rx="75" ry="165" fill="#b5762f" transform="rotate(${tilt} ${x} 220)"/>`;

const eye = (x) =>
  `<circle cx="${x}" cy="300" r="27" fill="#2b1a10"/><circle cx="${x + 8}" cy="291" r="8" fill="#fff"/>`;

function dog() {
  const random = generator(11);
  const gold = ["#e0a95c", "#c98d3f", "#f0c581", "#b87c33", "#d99c4b"];
  return svg(
    800,
    720,
    `<defs><linearGradient id="sky" x2="0" y2="1">${stops("#9fd0ea", "#d9efe0", "#7fb069")}</linearGradient>
    <radialGradient id="head">${stops("#f2cd8d", "#dca557", "#c48a40")}</radialGradient></defs>
    <rect width="800" height="720" fill="url(#sky)"/>
    <ellipse cx="400" cy="720" rx="270" ry="220" fill="#cf9549"/>${fur(random, 400, 690, 260, 190, 1800, gold)}
    ${ear(205, 14)}${ear(595, -14)}${fur(random, 205, 350, 65, 140, 500, gold.slice(1, 4))}${fur(random, 595, 350, 65, 140, 500, gold.slice(1, 4))}
    <ellipse cx="400" cy="310" rx="205" ry="215" fill="url(#head)"/>${fur(random, 400, 280, 195, 190, 2600, gold)}
    <ellipse cx="400" cy="420" rx="118" ry="100" fill="#f3d9a8"/>${fur(random, 400, 430, 105, 80, 500, ["#fbe9c6", "#ecc98d", "#f6dcae"])}
    ${eye(315)}${eye(485)}
    <path d="M345 372q55-34 110 0q0 46-55 60q-55-14-55-60z" fill="#2a1d1a"/><ellipse cx="383" cy="378" rx="16" ry="7" fill="#6b5a55"/>
    <path d="M400 432v34m0 0q-38 40-84 14m84-14q38 40 84 14" fill="none" stroke="#4a2c1a" stroke-width="7" stroke-linecap="round"/>
    <path d="M368 484q32 104 64 0q-32 18-64 0z" fill="#e2717f"/>
    <path d="M225 590q175 90 350 0v42q-175 90-350 0z" fill="#c0392b"/><circle cx="400" cy="662" r="26" fill="#f1c40f"/>`,
  );
}

const ball = (id, x, y, r) =>
  `<circle cx="${x}" cy="${y}" r="${r}" fill="url(#${id})"/><ellipse cx="${x - r * 0.35}" cy="${y - r * 0.4}" rx="${r * 0.2}" ry="${r * 0.12}" fill="#fff" opacity=".6"/>`;

function fruit() {
  const random = generator(5);
  const gradient = (id, ...colours) =>
    `<radialGradient id="${id}" cx=".38" cy=".35" r=".75">${stops(...colours)}</radialGradient>`;
  let pores = "";
  for (let i = 0; i < 260; i++) {
    const [angle, reach] = [random() * 6.2832, Math.sqrt(random()) * 62];
    pores += `<circle cx="${(300 + Math.cos(angle) * reach).toFixed(1)}" cy="${(205 + Math.sin(angle) * reach).toFixed(1)}" r="1.3"/>`;
  }
  let grapes = "";
  for (let i = 0; i < 14; i++)
    grapes += ball("grape", 395 + (i % 4) * 27 + random() * 8, 205 + Math.floor(i / 4) * 24, 19);
  return svg(
    600,
    480,
    `<defs>${gradient("apple", "#ff8a75", "#d7263d", "#7d1128")}${gradient("orange", "#ffd08a", "#f79824", "#c96a0b")}
    ${gradient("lime", "#e3f5a1", "#9bc53d", "#527a18")}${gradient("grape", "#c8a2e8", "#7b3fa0", "#3f1a5c")}
    <linearGradient id="bowl" x2="0" y2="1">${stops("#fdfdfd", "#b9cfe4", "#6f93b8")}</linearGradient></defs>
    <ellipse cx="300" cy="440" rx="210" ry="24" fill="#000" opacity=".25"/>
    <path d="M120 250q-35-150 60-190q-10 110 70 190z" fill="#f7d94c"/><path d="M178 62q-8 110 72 188" stroke="#b8901c" stroke-width="4" fill="none"/>
    ${ball("lime", 370, 150, 52)}${ball("orange", 300, 205, 72)}<g fill="#b35f09" opacity=".5">${pores}</g>
    ${ball("apple", 195, 215, 74)}<path d="M195 150q6-38 26-48" stroke="#5b3a1e" stroke-width="7" fill="none" stroke-linecap="round"/>
    <path d="M212 122q42-32 64 2q-38 18-64-2z" fill="#4e8d3a"/>${grapes}
    <path d="M70 250h460q-14 180-165 186h-130q-151-6-165-186z" fill="url(#bowl)"/>
    <path d="M84 285q216 44 432 0" stroke="#3f6c9a" stroke-width="10" fill="none" opacity=".7"/>`,
  );
}

function landscape(width, height) {
  const random = generator(23);
  const ridge = (base, rough, colour) => {
    let line = `M0 ${height}`;
    const waves = Array.from({ length: 7 }, (_, k) => [
      rough / (k + 1),
      random() * 7,
      (k + 1) * (1 + random()),
    ]);
    for (let x = 0; x <= width; x += 8) {
      const y = waves.reduce(
        (sum, [a, p, f]) => sum + a * Math.sin((x / width) * 6.2832 * f + p),
        base * height,
      );
      line += `L${x} ${y.toFixed(1)}`;
    }
    return `<path d="${line}L${width} ${height}z" fill="${colour}"/>`;
  };
  let trees = "";
  for (let i = 0; i < 150; i++) {
    const [x, y] = [random() * width, height * (0.84 + random() * 0.14)];
    const h = height * (0.06 + random() * 0.1);
    const green = ["#1f4d36", "#2d6a4f", "#163b2a"][i % 3];
    trees += `<path d="M${x} ${y - h}l${h * 0.25} ${h * 0.5}h${-h * 0.12}l${h * 0.22} ${h * 0.5}h${-h * 0.7}l${h * 0.22} ${-h * 0.5}h${-h * 0.12}z" fill="${green}"/>`;
  }
  return svg(
    width,
    height,
    `<defs><linearGradient id="sky" x2="0" y2="1">${stops("#27496d", "#f08a5d", "#ffe0ac")}</linearGradient>
    <radialGradient id="sun">${stops("#fffbe6", "#ffd166", "#ffd16600")}</radialGradient></defs>
    <rect width="${width}" height="${height}" fill="url(#sky)"/>
    <circle cx="${width * 0.68}" cy="${height * 0.42}" r="${height * 0.2}" fill="url(#sun)"/>
    ${ridge(0.5, height * 0.09, "#8d6a86")}${ridge(0.62, height * 0.07, "#5e4b6b")}${ridge(0.74, height * 0.05, "#3a4a5a")}
    ${ridge(0.86, height * 0.03, "#2b5d45")}${trees}`,
  );
}

function balloons() {
  const random = generator(42);
  const [width, height] = [1280, 720];
  const colours = ["#ef476f", "#ffd166", "#06d6a0", "#118ab2", "#f78c6b", "#8338ec"];
  let body = "";
  for (let i = 0; i < 9; i++) {
    const [x, y, r] = [90 + i * 138 + random() * 30, 130 + random() * 330, 50 + random() * 55];
    for (let band = 0; band < 6; band++) {
      const rx = r * Math.cos((band * Math.PI) / 12);
      body += `<ellipse cx="${x}" cy="${y}" rx="${rx}" ry="${r * 1.12}" fill="${colours[(i + band) % 6]}"/>`;
    }
    body += `<path d="M${x - r * 0.3} ${y + r * 1.1}l${r * 0.12} ${r * 0.5}m${r * 0.48} ${-r * 0.5}l${-r * 0.12} ${r * 0.5}" stroke="#555" stroke-width="2"/>`;
    body += `<rect x="${x - r * 0.2}" y="${y + r * 1.6}" width="${r * 0.4}" height="${r * 0.3}" rx="4" fill="#8a5a2b"/>`;
  }
  return svg(
    width,
    height,
    `<defs><linearGradient id="sky" x2="0" y2="1">${stops("#4ea8de", "#bde0fe", "#fefae0")}</linearGradient></defs>
    <rect width="${width}" height="${height}" fill="url(#sky)"/>${body}
    <path d="M0 690q320-60 640-20t640-30v80h-1280z" fill="#74a57f"/>`,
  );
}

/** Grain over the drawing, so that it is as rich in detail as a photograph. */
async function grained(drawing, strength, seed) {
  const random = generator(seed);
  const { data, info } = await sharp(drawing).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  for (let i = 0; i < data.length; i += 3) {
    const grain = (random() + random() - 1) * strength;
    for (let c = i; c < i + 3; c++) data[c] = Math.max(0, Math.min(255, Math.round(data[c] + grain)));
  }
  return sharp(data, { raw: { width: info.width, height: info.height, channels: 3 } });
}

await mkdir(folder, { recursive: true });
const file = (name) => fileURLToPath(new URL(name, folder));
const subsampled = { quality: 85, chromaSubsampling: "4:2:0" };
await (
  await grained(landscape(3200, 1800), 10, 1)
)
  .jpeg({ quality: 68, chromaSubsampling: "4:2:0" })
  .toFile(file("landscape.jpg"));
await (
  await grained(balloons(), 8, 2)
)
  .jpeg({ ...subsampled, progressive: true })
  .toFile(file("balloons.jpg"));
await (await grained(dog(), 12, 3)).webp({ quality: 80 }).toFile(file("dog.webp"));
await sharp(fruit()).png({ compressionLevel: 9 }).toFile(file("fruit.png"));
