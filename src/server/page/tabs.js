/** The tabs of the page, where the server has pictures and texts. What is behind the `#` of the address says which one is open. */
const find = (id) => document.querySelector(`#${id}`);
const tabs = [...document.querySelectorAll("[role=tab]")];
const panelOf = (tab) => find(tab.getAttribute("aria-controls"));

let told = () => undefined;

/** @param there the panels that there are, the first of which is open at the beginning. @param tell hears which one is open. */
export function showTabs(there, tell) {
  told = tell;
  for (const tab of tabs) tab.hidden = !there.includes(panelOf(tab).id);
  find("tabs").hidden = there.length < 2;
  const asked = location.hash.slice(1);
  open(there.includes(asked) ? asked : there[0]);
}

function open(id) {
  for (const tab of tabs) {
    const isOpen = panelOf(tab).id === id;
    tab.setAttribute("aria-selected", String(isOpen));
    tab.tabIndex = isOpen ? 0 : -1;
    panelOf(tab).hidden = !isOpen;
  }
  told(id);
}

function choose(tab) {
  const { id } = panelOf(tab);
  history.replaceState(null, "", `${location.pathname}${location.search}#${id}`);
  open(id);
}

find("tabs").addEventListener("click", ({ target }) => {
  if (tabs.includes(target)) choose(target);
});
find("tabs").addEventListener("keydown", (event) => {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  const other = tabs.find((tab) => tab.getAttribute("aria-selected") === "false");
  event.preventDefault();
  choose(other);
  other.focus();
});
