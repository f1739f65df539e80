/** Who looks at whom: the heads of a layer, and of one of them each token's shares. */
import { element } from "../dom.js";
import { failure } from "../failure.js";
import { withWords, words } from "../words.js";
import { inspect } from "./api.js";
import { bar, tokenLine, visible } from "./tokens.js";

const MOST_LISTED = 8;

const find = (id) => document.querySelector(`#${id}`);
const percent = (share) => words().text.percent((share * 100).toFixed(share < 0.1 ? 1 : 0));
// Small shares are most of them, and are to be seen too.
const strength = (share) => Math.sqrt(share);

/**
 * @param given asks for the text that is looked at: its tokens, and the network with its size.
 * @returns what forgets the text.
 */
export function showAttention(given) {
  let text; // what is looked at
  let shares = new Map(); // those of each layer that was asked for
  let state = { kind: "none" };
  const at = { layer: 0, head: 0 };
  const line = tokenLine(find("look-tokens"), {
    nameOf: ({ readable }, place) => words().text.place(place, visible(readable)),
    onChoose: showToken,
  });

  find("look").addEventListener("click", () => void look());
  find("layer").addEventListener("change", ({ target }) => void chooseLayer(Number(target.value)));
  find("heads").addEventListener("click", ({ target }) => {
    const head = [...find("heads").children].indexOf(target.closest("button"));
    if (head !== -1) chooseHead(head);
  });
  find("heads").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const button = find("heads").children[at.head + (step ?? Number.NaN)];
    if (button === undefined) return;
    event.preventDefault();
    chooseHead(at.head + step);
    button.focus();
  });
  find("map").addEventListener("click", ({ offsetY, currentTarget }) => {
    const place = Math.floor((offsetY / currentTarget.clientHeight) * text.tokens.length);
    line.choose(Math.max(0, Math.min(text.tokens.length - 1, place)));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
  withWords(() => {
    line.rename();
    render();
  });

  async function look() {
    const { tokens, name, network, limits } = given();
    const count = Math.min(tokens.length, limits.tokens);
    const perLayer = (network.heads * count * (count + 1)) / 2;
    text = {
      name,
      tokens: tokens.slice(0, count).map((token) => ({ ...token, isGiven: true })),
      isWhole: count === tokens.length,
      layers: network.layers,
      hasAll: perLayer * network.layers <= limits.shares,
    };
    shares = new Map();
    line.set(text.tokens);
    find("layer").replaceChildren(
      ...Array.from({ length: network.layers }, (_, layer) => new Option(String(layer), String(layer))),
    );
    [at.layer, at.head] = [0, 0];
    await chooseLayer(0);
    if (state.kind === "shown") line.choose(text.tokens.length - 1);
  }

  async function chooseLayer(layer) {
    at.layer = layer;
    if (!shares.has(layer)) {
      set({ kind: "working" });
      const asked = text;
      try {
        const prompt = text.tokens.map(({ id }) => id);
        const body = { prompt, model: text.name, ...(!text.hasAll && { layer }) };
        const { attention } = await inspect(body);
        if (asked !== text) return;
        for (const [place, heads] of attention.entries()) shares.set(text.hasAll ? place : layer, heads);
      } catch (error) {
        if (asked === text) set({ kind: "failed", error });
        return;
      }
    }
    if (at.layer === layer) set({ kind: "shown" });
  }

  /** Another text is written. */
  function forget() {
    text = undefined;
    shares = new Map();
    set({ kind: "none" });
  }

  function chooseHead(head) {
    at.head = head;
    render();
  }

  function set(changed) {
    state = changed;
    render();
  }

  function render() {
    const { kind } = state;
    find("look-said").replaceChildren(...said());
    find("look").disabled = kind === "working";
    find("seen").hidden = shares.size === 0;
    if (kind !== "shown") return;
    const heads = shares.get(at.layer);
    const buttons = heads.map((head, place) => {
      const isChosen = place === at.head;
      const canvas = element("canvas", { "aria-hidden": "true" });
      draw(canvas, head);
      return element(
        "button",
        {
          type: "button",
          "aria-pressed": String(isChosen),
          "aria-label": words().text.head(place),
          title: words().text.head(place),
          tabindex: isChosen ? "0" : "-1",
        },
        canvas,
      );
    });
    const hadFocus = find("heads").contains(document.activeElement);
    find("heads").replaceChildren(...buttons);
    if (hadFocus) buttons[at.head].focus();
    find("head-name").textContent = words().text.head(at.head);
    find("map").setAttribute("aria-label", words().text.map);
    showToken(line.chosen());
  }

  function said() {
    if (state.kind === "failed") return [failure(state.error, words().text.errors)];
    if (state.kind === "working") return [element("p", { class: "fine pulse" }, words().text.looking)];
    if (state.kind !== "shown" || text.isWhole) return [];
    return [element("p", { class: "fine" }, words().text.onlyFirst(text.tokens.length))];
  }

  function showToken(from) {
    const head = shares.get(at.layer)?.[at.head];
    if (head === undefined || from === -1) return;
    draw(find("map"), head, from);
    const row = head[from];
    for (const [place, option] of [...find("look-tokens").children].entries()) {
      const share = row[place];
      option.style.setProperty("--share", share === undefined ? "0" : String(strength(share)));
      option.classList.toggle("behind", share === undefined);
      const name = words().text.place(place, visible(text.tokens[place].readable));
      const what = share === undefined ? words().text.behind : percent(share);
      option.setAttribute("aria-label", `${name}: ${what}`);
    }
    const most = [...row.entries()].toSorted(([, one], [, other]) => other - one).slice(0, MOST_LISTED);
    find("looks-at").textContent = words().text.looksAt(from, visible(text.tokens[from].readable));
    find("looks").replaceChildren(
      ...most.map(([place, share]) => {
        const number = element("span", { class: "fine" }, `${place} `);
        return bar([number, visible(text.tokens[place].readable)], share, percent(share));
      }),
    );
  }

  return forget;
}

/** A pixel for each share; the row of the chosen token is marked behind its end. */
function draw(canvas, head, chosen) {
  const count = head.length;
  Object.assign(canvas, { width: count, height: count });
  const context = canvas.getContext("2d");
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--map");
  for (const [from, row] of head.entries()) {
    for (const [to, share] of row.entries()) {
      context.globalAlpha = strength(share);
      context.fillRect(to, from, 1, 1);
    }
  }
  if (chosen === undefined) return;
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  context.globalAlpha = 0.3;
  context.fillRect(chosen + 1, chosen, count - chosen - 1, 1);
}
