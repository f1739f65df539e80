/** One picture: waiting, at the network, answered or refused. */
import { classify, compare } from "./api.js";
import { bars, comparison, seen, timeline } from "./answer.js";
import { element } from "./dom.js";
import { failure } from "./failure.js";
import { withWords, words } from "./words.js";

/** Pictures that are at the server at a time: the network takes them one after the other anyway. */
const AT_ONCE = 2;
/** Another try would end in the same way. */
const OF_THE_PICTURE = new Set([
  "UNSUPPORTED_FORMAT",
  "DECODE_FAILED",
  "INPUT_TOO_LARGE",
  "POISON_INPUT",
  "BAD_REQUEST",
]);
const waiting = [];
let running = 0;

function next() {
  while (running < AT_ONCE && waiting.length > 0) {
    running += 1;
    void waiting
      .shift()()
      .finally(() => {
        running -= 1;
        next();
      });
  }
}

/** @returns the card's element, and what takes it away. */
export function card(file, { canCompare, onRemove }) {
  const gone = new AbortController();
  const url = URL.createObjectURL(file);
  let state = { kind: "waiting" };
  let compared = { kind: "none" };

  const photo = element("img", { src: url, alt: file.name, class: "photo" });
  const place = element("div", { class: "place" }, photo);
  photo.addEventListener("error", () => {
    place.replaceChildren(element("p", { class: "fine" }, words().noPreview));
  });
  const aside = element("div", { class: "aside" });
  const name = element("h2", {}, file.name || "—");
  const body = element("div", { class: "body" });
  const remove = element("button", { type: "button", class: "plain remove", onclick: end }, "×");
  const media = element("div", { class: "media" }, place, aside);
  const root = element("article", {}, name, media, body, remove);
  const forget = withWords(render);

  function end() {
    gone.abort();
    forget();
    URL.revokeObjectURL(url);
    root.remove();
    onRemove(end);
  }

  function start() {
    set({ kind: "waiting" });
    waiting.push(async () => {
      if (gone.signal.aborted) return;
      set({ kind: "working" });
      try {
        set({ kind: "answered", answer: await classify(file, gone.signal) });
      } catch (error) {
        set({ kind: "failed", error });
      }
    });
    next();
  }

  async function startComparing() {
    setCompared({ kind: "working" });
    try {
      setCompared({ kind: "answered", result: await compare(file, gone.signal) });
    } catch (error) {
      setCompared({ kind: "failed", error });
    }
  }

  function set(changed) {
    state = changed;
    render();
  }

  function setCompared(changed) {
    compared = changed;
    render();
  }

  function render() {
    remove.setAttribute("aria-label", `${words().remove}: ${file.name}`);
    root.dataset.state = state.kind;
    aside.replaceChildren(...(state.kind === "answered" ? [seen(state.answer.crop)] : []));
    body.replaceChildren(...content());
  }

  function content() {
    switch (state.kind) {
      case "answered":
        return [bars(state.answer.top), timeline(state.answer.timings), ...comparing(state.answer.top)];
      case "failed":
        return [failure(state.error), ...(OF_THE_PICTURE.has(state.error.code) ? [] : [againButton()])];
      default:
        return [element("p", { class: "fine pulse" }, words()[state.kind])];
    }
  }

  function comparing(top) {
    switch (compared.kind) {
      case "answered":
        return [comparison(compared.result, top)];
      case "failed":
        return [failure(compared.error), button()];
      case "working":
        return [element("p", { class: "fine pulse" }, words().comparing)];
      default:
        return canCompare() ? [button()] : [];
    }
  }

  function button() {
    return element(
      "button",
      { type: "button", class: "compare", onclick: () => void startComparing() },
      words().compare,
    );
  }

  function againButton() {
    return element("button", { type: "button", onclick: start }, words().again);
  }

  start();
  return { root, end };
}
