/** What else was likely where a token stands. */
import { element } from "../dom.js";
import { words } from "../words.js";
import { bar, percentOf, visible } from "./tokens.js";

/** @param at its place in the text, from 0. */
export function candidates(token, at) {
  const { text } = words();
  const title = element(
    "h3",
    {},
    text.place(at, visible(token.readable)),
    element("span", { class: "fine" }, ` ${token.id}`),
  );
  if (token.isGiven) return [title, element("p", { class: "fine" }, text.given)];
  // Numbers among the tokens' texts stand first in an object, whatever their probability.
  const likely = Object.entries(token.candidates).toSorted(([, one], [, other]) => other - one);
  const isAmong = likely.some(([readable]) => readable === token.readable);
  const all = isAmong ? likely : [...likely, [token.readable, token.logprob]];
  const rows = all.map(([readable, logprob]) => {
    const isChosen = readable === token.readable;
    const name = [
      visible(readable),
      isChosen && element("span", { class: "fine" }, ` ${text.chosen}`),
    ].filter(Boolean);
    const attributes = isChosen ? { class: "chosen" } : {};
    return bar(name, Math.exp(logprob), text.percent(percentOf(logprob)), attributes);
  });
  return [
    title,
    element("p", { class: "fine" }, isAmong ? text.candidates : text.unlikely),
    element("ol", { class: "shares" }, ...rows),
  ];
}
