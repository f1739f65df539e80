/** How a word becomes tokens: its bytes, and one merge after the other. */
import { element } from "../dom.js";
import { failure } from "../failure.js";
import { withWords, words } from "../words.js";
import { tokenize } from "./api.js";
import { visible } from "./tokens.js";

/** A word is looked up when nobody typed for so long. */
const PAUSE_MS = 250;

/** @param modelOf which network's vocabulary it is. */
export function showMerges(field, list, modelOf) {
  let last;
  let asked = new AbortController();
  let timer;
  field.value = words().text.wordExample;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => void look(), PAUSE_MS);
  });
  withWords(render);

  async function look() {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    try {
      const body = { text: field.value, model: modelOf(), steps: true };
      last = { pieces: field.value === "" ? [] : (await tokenize(body, signal)).pieces };
    } catch (error) {
      if (signal.aborted) return;
      last = { error };
    }
    render();
  }

  function render() {
    if (last === undefined) return;
    if (last.error !== undefined) return void list.replaceChildren(failure(last.error, words().text.errors));
    list.replaceChildren(...last.pieces.map(stepsOf));
  }

  return look;
}

function stepsOf({ start, merges }) {
  const { text } = words();
  let tokens = start;
  const rows = [row(tokens, text.bytes)];
  for (const { pair, id, readable, rank } of merges) {
    const at = tokens.findIndex(
      (one, place) => one.id === pair[0].id && tokens[place + 1]?.id === pair[1].id,
    );
    tokens = tokens.toSpliced(at, 2, { id, readable });
    rows.push(row(tokens, text.merge((rank + 1).toLocaleString()), at));
  }
  return element("ol", { class: "merges" }, ...rows);
}

function row(tokens, name, merged = -1) {
  const chips = tokens.map(({ readable }, at) =>
    element("span", { class: at === merged ? "chip merged" : "chip" }, visible(readable)),
  );
  return element(
    "li",
    {},
    element("span", { class: "chips" }, ...chips),
    element("span", { class: "fine" }, name),
  );
}
