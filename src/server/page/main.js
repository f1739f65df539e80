/** Puts the page together: token, status, and the three ways in which pictures come. */
import { useToken } from "./api.js";
import { card } from "./card.js";
import { lastStatus, showWorker, watchStatus } from "./status.js";
import { steps } from "./steps.js";
import { showTabs } from "./tabs.js";
import { chosenNetwork, startTexts } from "./text/text.js";
import { chooseLanguage, showStaticWords, withWords, words } from "./words.js";

const find = (id) => document.querySelector(`#${id}`);
const ends = new Set();

withWords(() => {
  showStaticWords();
  showCount();
});
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => chooseLanguage(button.dataset.language));
}

find("choose").addEventListener("click", () => find("file").click());
find("file").addEventListener("change", ({ target }) => {
  add(target.files);
  target.value = "";
});
find("clear").addEventListener("click", () => {
  for (const end of ends) end();
  find("choose").focus();
});
find("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(find("token").value);
  void enter();
});

addEventListener("paste", ({ clipboardData }) => add(clipboardData?.files));
for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
}
for (const name of ["dragleave", "drop"]) {
  addEventListener(name, (event) => {
    if (name === "dragleave" && event.relatedTarget !== null) return;
    event.preventDefault();
    document.body.classList.remove("dragging");
    if (name === "drop") add(event.dataTransfer?.files);
  });
}

function add(files) {
  if (find("drop").hidden || find("pictures").hidden) return;
  for (const file of files ?? []) {
    const made = card(file, {
      canCompare: () => lastStatus()?.compare === true,
      onRemove: (end) => {
        ends.delete(end);
        showCount();
      },
    });
    ends.add(made.end);
    find("cards").prepend(made.root);
  }
  showCount();
}

function showCount() {
  document.body.classList.toggle("filled", ends.size > 0);
  find("bar").hidden = ends.size === 0;
  find("count").textContent = words().count(ends.size);
}

/** The networks of the server, where there are several; another one is another address of the page. */
function showModels({ model, models = [] }) {
  const select = find("model");
  select.hidden = models.length < 2;
  select.setAttribute("aria-label", words().facts.network);
  select.replaceChildren(...models.map((name) => new Option(name, name, false, name === model)));
  select.addEventListener("change", () => location.assign(`/?model=${encodeURIComponent(select.value)}`), {
    once: true,
  });
}

/** The worker and the networks that belong to a tab. */
function showPart(tab) {
  document.body.dataset.tab = tab;
  if (tab === "texts")
    showWorker(
      () => chosenNetwork(),
      () => words().text.untrained,
    );
  else
    showWorker(
      (status) => status,
      () => words().untrained,
    );
}

/** Shows the page to whoever has the token, and asks everybody else for it. */
async function enter() {
  try {
    await watchStatus();
    showModels(lastStatus());
    const { network, texts = [] } = lastStatus();
    if (network !== undefined) find("steps").replaceChildren(...steps(network));
    find("ask").hidden = true;
    find("drop").hidden = false;
    if (texts.length > 0) startTexts(() => lastStatus().texts);
    showTabs([network && "pictures", texts.length > 0 && "texts"].filter(Boolean), showPart);
  } catch (error) {
    find("drop").hidden = true;
    if (error.code !== "UNAUTHORIZED") return void setTimeout(() => void enter(), 1_000);
    const isSecondTry = !find("ask").hidden;
    find("ask").hidden = false;
    find("token").setCustomValidity("");
    if (isSecondTry) {
      find("token").setCustomValidity(words().tokenWrong);
      find("token").reportValidity();
    }
    find("token").addEventListener("input", () => find("token").setCustomValidity(""), { once: true });
    find("token").focus();
  }
}

void enter();
