/** Tokens for people, and a line of them in which one is chosen. */
import { element } from "../dom.js";

const COLOURS = 5;
const BYTE = /^<[0-9A-F]{2}>$/;
const FIRST_BYTES = /^(?:<[0-9A-F]{2}>)+/;

/** Blanks and ends of lines as signs. */
export function visible(text) {
  return text.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll(" ", "␣");
}

/** Every `<E7>` that a readable text ends with. */
function bytesAtEnd(readable) {
  let at = readable.length;
  while (BYTE.test(readable.slice(Math.max(0, at - 4), at))) at -= 4;
  return readable.slice(at);
}

/** The bytes at its end that are part of a character which it does not complete. */
function openBytes({ text, readable }) {
  if (text === readable) return [];
  const bytes = bytesAtEnd(readable);
  const before = readable.slice(0, readable.length - bytes.length).replace(FIRST_BYTES, "");
  const isOpen = before === "" ? text === "" : text.endsWith(before);
  return isOpen ? (bytes.match(/[0-9A-F]{2}/g) ?? []) : [];
}

function contentOf(token) {
  const shown = token.text.replaceAll("\n", "⏎\n").replaceAll("\t", "⇥\t");
  return [shown, ...openBytes(token).map((byte) => element("small", {}, byte))];
}

/**
 * A list in which one token is chosen, with a click or the arrow keys; it is one stop of the Tab key.
 *
 * @param nameOf what a screen reader says of a token. @param onChoose is called with its place.
 */
export function tokenLine(root, { nameOf, onChoose }) {
  let tokens = [];
  let chosen = -1;
  const options = () => [...root.children];
  root.setAttribute("role", "listbox");
  root.setAttribute("aria-orientation", "horizontal");

  root.addEventListener("click", ({ target }) => {
    const at = options().indexOf(target.closest("[role=option]"));
    if (at !== -1) choose(at);
  });
  root.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step === undefined || tokens.length === 0) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(tokens.length - 1, chosen + step)));
    root.children[chosen].focus();
  });
  root.addEventListener("focusin", ({ target }) => {
    const at = options().indexOf(target);
    if (at !== -1 && at !== chosen) choose(at);
  });

  function choose(at) {
    root.children[chosen]?.setAttribute("aria-selected", "false");
    root.children[chosen]?.setAttribute("tabindex", "-1");
    chosen = at;
    root.children[at]?.setAttribute("aria-selected", "true");
    root.children[at]?.setAttribute("tabindex", "0");
    onChoose(at);
  }

  function push(token) {
    const at = tokens.length;
    tokens.push(token);
    const colour = token.isGiven ? "given" : `colour-${at % COLOURS}`;
    // The first can be reached before any is chosen.
    const tabindex = at === 0 ? "0" : "-1";
    const option = element("span", { role: "option", tabindex, class: colour, "aria-selected": "false" });
    option.append(...contentOf(token));
    option.setAttribute("aria-label", nameOf(token, at));
    root.append(option);
  }

  return {
    push,
    choose,
    chosen: () => chosen,
    set(next) {
      root.replaceChildren();
      [tokens, chosen] = [[], -1];
      for (const token of next) push(token);
    },
    /** Names its tokens anew, in another language. */
    rename() {
      for (const [at, token] of tokens.entries())
        root.children[at].setAttribute("aria-label", nameOf(token, at));
    },
  };
}

/** A probability as a percentage: as many digits as tell something. */
export function percentOf(logprob) {
  const percent = Math.exp(logprob) * 100;
  return percent >= 10 ? percent.toFixed(1) : percent >= 0.01 ? percent.toFixed(2) : percent.toExponential(0);
}

/** A bar with a name and a percentage. */
export function bar(name, share, percent, attributes = {}) {
  const fill = element("i");
  fill.style.width = `${share * 100}%`;
  return element(
    "li",
    attributes,
    element("span", { class: "label" }, ...name),
    element("b", {}, percent),
    element("span", { class: "track", "aria-hidden": "true" }, fill),
  );
}
