/** Elements without markup in strings: nothing that a server or a file name says becomes HTML. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== false));
  return made;
}

/** A percentage with every digit, as Python prints it; the first ones stand out. */
export function percentage(percent) {
  const text = Number.isInteger(percent) ? `${percent}.0` : String(percent);
  const [, head = text, tail = ""] = /^(\d+\.\d{2})(\d+)$/.exec(text) ?? [];
  return element("span", { class: "percent" }, head, element("span", { class: "digits" }, tail));
}
