/** Puts the page together: token, status, and the three ways in which pictures come. */
import { useToken } from "./api.js";
import { card } from "./card.js";
import { lastStatus, watchStatus } from "./status.js";
import { steps } from "./steps.js";
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
  if (find("drop").hidden) return;
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

/** Shows the page to whoever has the token, and asks everybody else for it. */
async function enter() {
  try {
    await watchStatus();
    showModels(lastStatus());
    find("steps").replaceChildren(...steps(lastStatus().network));
    find("ask").hidden = true;
    find("drop").hidden = false;
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
