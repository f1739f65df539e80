/** A failure as the page tells it, with its code. */
import { element } from "./dom.js";
import { words } from "./words.js";

/** @param own sentences that fit better where it is shown. */
export function failure({ code, message, hint }, own = {}) {
  const translated = own[code] ?? words().errors[code];
  return element(
    "div",
    { class: "failure", role: "alert" },
    element("p", {}, translated ?? message),
    element(
      "p",
      { class: "fine" },
      element("code", {}, code ?? "ERROR"),
      " ",
      translated === undefined ? (hint ?? "") : element("span", { lang: "en" }, message),
    ),
  );
}
