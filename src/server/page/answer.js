/** The parts of an answer: bars, the crop, timings, and PyTorch's answer beside ours. */
import { element, percentage } from "./dom.js";
import { words } from "./words.js";

/** The classes, best first. The whole width is 100 %. */
export function bars(top) {
  const rows = top.map(({ label, percent }) => {
    const fill = element("i");
    fill.style.width = `${percent}%`;
    return element(
      "li",
      {},
      element("span", { class: "label" }, label),
      percentage(percent),
      element("span", { class: "track", "aria-hidden": "true" }, fill),
    );
  });
  return element("ol", { class: "bars" }, ...rows);
}

/** What the network sees. */
export function seen(crop) {
  if (crop === undefined) return element("p", { class: "fine" }, words().seesNot);
  const caption = words().sees(crop.width);
  return element(
    "figure",
    { class: "seen" },
    element("img", { src: crop.png, alt: caption, width: crop.width, height: crop.height }),
    element("figcaption", {}, caption),
  );
}

/** Where the time went: a strip, and the figures below it. */
export function timeline(timings) {
  const parts = partsOf(timings);
  const total = parts.reduce((sum, [, ms]) => sum + ms, 0);
  const strip = parts.map(([name, ms]) => {
    const part = element("i", { class: name });
    part.style.flexGrow = String(ms / total);
    return part;
  });
  const legend = parts.map(([name, ms]) =>
    element("li", { class: name }, element("i"), `${words().timings[name]} `, element("b", {}, inMs(ms))),
  );
  return element(
    "div",
    { class: "timeline" },
    element("p", { class: "fine" }, words().total(inMs(total))),
    element("div", { class: "strip", "aria-hidden": "true" }, ...strip),
    element("ul", {}, ...legend),
  );
}

/** Stages that follow each other; `worker` holds what the worker tells of itself, and the way there and back. */
function partsOf({
  receive = 0,
  handover = 0,
  decode = 0,
  preprocess = 0,
  queue = 0,
  forward,
  worker = 0,
  read = 0,
}) {
  const network = forward ?? worker;
  const parts = {
    receive,
    wait: handover + queue,
    decode,
    preprocess,
    forward: network,
    rest: Math.max(0, worker - network - queue) + read,
  };
  return Object.entries(parts).filter(([, ms]) => ms > 0.005);
}

function inMs(ms) {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

/** Both answers, and the stages one by one. */
export function comparison({ verdict, firstDivergence, stages, reference }, ours) {
  const compared = stages.filter(({ outcome }) => outcome !== "skipped");
  const chips = stages.map(({ stage, outcome, figures }) =>
    element("li", { class: outcome, title: figures }, words().stages[stage] ?? stage),
  );
  const theirs = reference.top.map((entry, at) => {
    const mine = ours[at];
    const isSame = mine?.index === entry.index && mine.percent === entry.percent;
    return element(
      "tr",
      { class: isSame ? "same" : "other" },
      element("td", {}, entry.label),
      element("td", {}, mine === undefined ? "" : percentage(mine.percent)),
      element("td", {}, percentage(entry.percent)),
    );
  });
  return element(
    "div",
    { class: `comparison ${verdict}` },
    element("p", { class: "verdict" }, verdictText(verdict, firstDivergence, stages, compared.length)),
    element("ul", { class: "chips" }, ...chips),
    theirs.length > 0 &&
      element(
        "table",
        {},
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            element("th"),
            element("th", {}, words().ours),
            element("th", {}, `${words().theirs} ${reference.versions.torch ?? ""}`),
          ),
        ),
        element("tbody", {}, ...theirs),
      ),
  );
}

function verdictText(verdict, firstDivergence, stages, compared) {
  const { equal, equalSome, diverged, refusedBoth, refusedOne } = words();
  if (verdict === "refused") return refusedBoth;
  if (stages.length === 0) return refusedOne;
  if (firstDivergence === null) return compared === stages.length ? equal(compared) : equalSome(compared);
  const first = stages.find(({ stage }) => stage === firstDivergence);
  return diverged(words().stages[firstDivergence] ?? firstDivergence, first?.figures ?? "");
}
