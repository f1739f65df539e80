// The report as one HTML file: inline SVG, no script, nothing loaded from elsewhere.
import { TABLE_HEAD, cells } from "./rows.mjs";

const WIDTH = 640;
const LEFT = 60;
const RIGHT = WIDTH - 20;

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{border-bottom:1px solid #ddd;padding:.25rem .6rem;text-align:left}
.no{color:#a00}.yes{color:#070}svg{background:#fafafa;border:1px solid #ddd}h2{margin-top:2rem;font-size:1.1rem}
text{font:12px system-ui,sans-serif;fill:#444}dt{float:left;clear:left;min-width:9rem;color:#666}dd{margin-left:9rem}`;

export function toHtml(machine, rows) {
  const facts = Object.entries(machine).map(
    ([key, value]) => `<dt>${escape(key)}</dt><dd>${escape(value)}</dd>`,
  );
  const head = TABLE_HEAD.map((title) => `<th>${title}</th>`).join("");
  const body = rows.map((row) => `<tr>${cells(row).map(cell).join("")}</tr>`).join("\n");
  const plots = rows.filter(({ ratios }) => ratios.length > 0).map(section);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>isotorch benchmark</title><style>${STYLE}</style>
<h1>isotorch benchmark</h1>
<dl>${facts.join("\n")}</dl>
<table><tr>${head}</tr>
${body}
</table>
${plots.join("\n")}
</html>
`;
}

function cell(text) {
  return `<td${text === "yes" || text === "no" ? ` class="${text}"` : ""}>${escape(text)}</td>`;
}

function section(row) {
  const note = row.note === undefined ? "" : `<p>${escape(row.note)}</p>`;
  const curve = row.curve === undefined ? "" : curvePlot(row.curve);
  return `<h2>${escape(row.name)}</h2>${note}\n${ratioPlot(row)}\n${curve}`;
}

/** Each round's ratio as a dot, the quartiles as a box, the median and the goal as lines. */
function ratioPlot({ ratios, ratio, spread, limit }) {
  const x = scale([...ratios, 1, ...(limit === undefined ? [] : [limit])], LEFT, RIGHT);
  const dots = ratios.map(
    (value, i) => `<circle cx="${x(value)}" cy="${30 + (i % 5) * 6}" r="3" fill="#36c"/>`,
  );
  const box = `<rect x="${x(spread[0])}" y="22" width="${Math.max(1, x(spread[1]) - x(spread[0]))}" height="40" fill="#36c3"/>`;
  const marks = [line(x(ratio), "#36c", `median ${ratio.toFixed(3)}`, 84)];
  if (limit !== undefined) marks.push(line(x(limit), "#a00", `goal ${limit}`, 100));
  return `<svg width="${WIDTH}" height="110" role="img">${box}${dots.join("")}${marks.join("")}<text x="4" y="14">ours / rival, one dot per round</text></svg>`;
}

function line(x, colour, label, y) {
  return `<line x1="${x}" x2="${x}" y1="18" y2="70" stroke="${colour}" stroke-width="2"/><text x="${x}" y="${y}" text-anchor="middle">${label}</text>`;
}

/** Points `[x, y]` joined by a line. */
function curvePlot({ title, points }) {
  const x = scale(
    points.map(([value]) => value),
    LEFT,
    RIGHT,
  );
  const y = scale([0, ...points.map(([, value]) => value)], 170, 30);
  const path = points.map(([px, py]) => `${x(px)},${y(py)}`).join(" ");
  const top = Math.max(...points.map(([, value]) => value));
  const ends = `<text x="4" y="${y(top) + 4}">${top.toPrecision(3)}</text><text x="4" y="174">0</text>`;
  const first = points[0][0];
  const last = points.at(-1)[0];
  return `<svg width="${WIDTH}" height="200" role="img"><text x="4" y="14">${escape(title)}</text>${ends}
<polyline points="${path}" fill="none" stroke="#36c" stroke-width="2"/>
<text x="${LEFT}" y="192">${first}</text><text x="${RIGHT}" y="192" text-anchor="end">${last}</text></svg>`;
}

/** A linear map of the values' range to `from` .. `to`. */
function scale(values, from, to) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = high - low || 1;
  return (value) => Number((from + ((value - low) / span) * (to - from)).toFixed(1));
}

function escape(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
