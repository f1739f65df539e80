/** Draws the attention that the page carries, and lets a reader choose layer, head and token. Runs in the reader's browser. */
(() => {
  const { tokens, layers, heads, shares } = JSON.parse(document.getElementById("facts").textContent);
  const all = Uint8Array.from(atob(shares), (character) => character.charCodeAt(0));
  const count = tokens.length;
  const perHead = (count * (count + 1)) / 2;
  const MOST_LISTED = 12;
  const chosen = { layer: 0, head: 0, token: count - 1 };
  const at = (id) => document.getElementById(id);
  const seen = (token) => token.replaceAll("\n", "⏎").replaceAll("\t", "⇥");
  const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

  /** How much token `from` looks at token `to`, 0 to 1. */
  const share = (layer, head, from, to) =>
    to > from ? 0 : all[(layer * heads + head) * perHead + (from * (from + 1)) / 2 + to] / 255;
  const percent = (value) => `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;
  // Small shares are most of them, and are to be seen too.
  const strength = (value) => Math.sqrt(value);

  /** A square in a canvas: a pixel for each share. */
  function draw(canvas, layer, head) {
    canvas.width = count;
    canvas.height = count;
    const context = canvas.getContext("2d");
    const image = context.createImageData(count, count);
    const [red, green, blue] = isDark() ? [116, 192, 252] : [24, 100, 171];
    for (let from = 0; from < count; from += 1) {
      for (let to = 0; to <= from; to += 1) {
        const pixel = (from * count + to) * 4;
        image.data.set([red, green, blue, 255 * strength(share(layer, head, from, to))], pixel);
      }
    }
    context.putImageData(image, 0, 0);
  }

  function element(name, properties = {}, children = []) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  const squares = [];
  for (let layer = 0; layer < layers; layer += 1) {
    const row = element("div", {}, [element("span", { textContent: String(layer) })]);
    row.setAttribute("role", "row");
    squares.push([]);
    for (let head = 0; head < heads; head += 1) {
      const canvas = element("canvas");
      const button = element(
        "button",
        { type: "button", tabIndex: -1, title: `Layer ${layer}, head ${head}` },
        [canvas],
      );
      button.setAttribute("role", "gridcell");
      button.setAttribute("aria-label", `Layer ${layer}, head ${head}`);
      button.addEventListener("click", () => choose({ layer, head }));
      draw(canvas, layer, head);
      squares[layer].push(button);
      row.append(button);
    }
    at("heads").append(row);
  }
  const words = tokens.map((token, place) => {
    const button = element("button", { type: "button", tabIndex: -1, textContent: seen(token) });
    button.setAttribute("role", "option");
    button.addEventListener("click", () => choose({ token: place }));
    at("tokens").append(button);
    return button;
  });

  function within(value, size) {
    return Math.max(0, Math.min(size - 1, value));
  }

  const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  at("heads").addEventListener("keydown", (event) => {
    const { layer, head } = chosen;
    const [down, right] =
      MOVES[event.key] ?? (event.key === "Home" ? [0, -heads] : event.key === "End" ? [0, heads] : []);
    if (down === undefined) return;
    event.preventDefault();
    choose({ layer: within(layer + down, layers), head: within(head + right, heads) });
    squares[chosen.layer][chosen.head].focus();
  });
  at("tokens").addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -count, End: count };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    choose({ token: within(chosen.token + step, count) });
    words[chosen.token].focus();
  });
  at("square").addEventListener("click", ({ offsetY, currentTarget }) => {
    choose({ token: within(Math.floor((offsetY / currentTarget.clientHeight) * count), count) });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const [layer, row] of squares.entries())
      for (const [head, button] of row.entries()) draw(button.firstChild, layer, head);
    show();
  });

  function choose(next) {
    Object.assign(chosen, next);
    show();
  }

  function show() {
    const { layer, head, token } = chosen;
    for (const [one, row] of squares.entries())
      for (const [other, button] of row.entries()) mark(button, one === layer && other === head);
    at("layer").textContent = layer;
    at("head").textContent = head;
    const dark = isDark();
    for (const [place, button] of words.entries()) {
      mark(button, place === token);
      const part = share(layer, head, token, place);
      button.classList.toggle("ahead", place > token);
      const name = `Token ${place}, ${JSON.stringify(tokens[place])}`;
      button.setAttribute(
        "aria-label",
        place > token ? `${name}, stands behind` : `${name}, ${percent(part)}`,
      );
      button.title = place > token ? "stands behind it" : percent(part);
      const colour = dark ? "116 192 252" : "24 100 171";
      button.style.background = place > token ? "" : `rgb(${colour} / ${(0.65 * strength(part)).toFixed(3)})`;
    }
    const order = Array.from({ length: token + 1 }, (_, place) => ({
      place,
      part: share(layer, head, token, place),
    }));
    order.sort((one, other) => other.part - one.part || one.place - other.place);
    at("looks").replaceChildren(
      ...order.slice(0, MOST_LISTED).map(({ place, part }) => {
        const bar = element("i");
        bar.style.width = `${part * 100}%`;
        const name = element("span", {
          textContent: `${place}  "${seen(tokens[place])}"${place === token ? "  (itself)" : ""}`,
        });
        return element("li", {}, [bar, name, element("b", { textContent: percent(part) })]);
      }),
    );
    const [first] = order;
    at("says").textContent =
      `Token ${token}, "${seen(tokens[token])}", looks most at token ${first.place}, "${seen(tokens[first.place])}": ${percent(first.part)}.`;
    draw(at("square"), layer, head);
    outline(at("square"), token);
  }

  function mark(button, isChosen) {
    button.setAttribute("aria-selected", String(isChosen));
    button.tabIndex = isChosen ? 0 : -1;
  }

  /** The chosen token's row is marked at its end, where nothing is looked at. */
  function outline(canvas, token) {
    const context = canvas.getContext("2d");
    context.fillStyle = "#e8590c";
    context.globalAlpha = 0.35;
    context.fillRect(token + 1, token, count - token - 1, 1);
  }

  show();
})();
