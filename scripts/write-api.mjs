// `npm run docs:api` writes docs/api.md from the compiler's declarations and their comments; `apiPage()` is what it must say.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Entry points by the name under which they are imported. */
const { exports } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

/** The page, made from the declarations in a folder. */
export function apiPage(dist = join(ROOT, "dist")) {
  const parts = [
    "# API\n\nMade from the comments in the source by `npm run docs:api`; your editor shows the same. Options and their defaults are in\n[ClassifierOptions](#classifieroptions) and [ClassifyOptions](#classifyoptions), error codes in [errors.md](errors.md).\n",
  ];
  for (const [path, { types } = {}] of Object.entries(exports)) {
    if (types === undefined) continue;
    const entry = join(dist, types.replace("./dist/", ""));
    parts.push(`\n## \`import … from "${path.replace(".", "isotorch")}"\`\n`);
    for (const { name, file } of exportedFrom(entry)) parts.push(sectionOf(name, declarationOf(name, file)));
  }
  return parts.join("");
}

/** Names that an entry file exports, each with the file that declares it. */
function exportedFrom(entry) {
  const lists = readFileSync(entry, "utf8").matchAll(/export (?:type )?\{([^}]*)\} from "(.+?)";/g);
  return [...lists].flatMap(([, names, from]) =>
    names
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "")
      .map((name) => ({ name, file: join(dirname(entry), from.replace(/\.ts$/, ".d.ts")) })),
  );
}

/** The comment and the text of a declaration; all overloads of a function. */
function declarationOf(name, file) {
  const text = readFileSync(file, "utf8");
  const start = new RegExp(
    `^(/\\*\\*(?:[^*]|\\*(?!/))*\\*/\\n)?export (?:declare )?(?:abstract )?(?:function|class|interface|type|const) ${name}\\b`,
    "gm",
  );
  const found = [...text.matchAll(start)].map((match) => ({
    comment: match[1] ?? "",
    code: upToEnd(text.slice(match.index + (match[1] ?? "").length)),
  }));
  if (found.length > 0) return found;
  // It is exported from there, and declared elsewhere.
  const again = exportedFrom(file).find((other) => other.name === name);
  if (again === undefined || !existsSync(again.file)) throw new Error(`${name} is not declared in ${file}`);
  return declarationOf(name, again.file);
}

/** A declaration ends with the first semicolon, or closing brace of a block, outside of all brackets and comments. */
function upToEnd(text) {
  let depth = 0;
  const isBlock = /^export (declare )?(abstract )?(class|interface) /.test(text);
  for (const { 0: token, index } of text.matchAll(/\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"|=>|[{}()[\]<>;]/g)) {
    if ("{([<".includes(token)) depth++;
    else if ("})]>".includes(token)) depth--;
    if (depth === 0 && (token === ";" || (isBlock && token === "}"))) return text.slice(0, index + 1);
  }
  throw new Error(`this declaration has no end: ${text.slice(0, 80)}`);
}

function sectionOf(name, declarations) {
  const prose = declarations.map(({ comment }) => proseOf(comment)).filter((text) => text !== "");
  const code = declarations.map(({ code: text }) =>
    text.replaceAll("    ", "  ").replace(/^export (declare )?/, ""),
  );
  const types = `\n<!-- not run: it is a declaration -->\n\n\`\`\`ts\n${code.join("\n")}\n\`\`\`\n`;
  return `\n### ${name}\n${prose.map((text) => `\n${text}\n`).join("")}${types}`;
}

/** A comment as Markdown: its tags become lines of their own, its example a code block. */
function proseOf(comment) {
  const lines = comment
    .replace(/^\/\*\*|\*\/\s*$/g, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd());
  const [text, example] = lines.join("\n").split(/^@example ?/m);
  const prose = text
    .trim()
    .replaceAll(/\{@link (\w+)\}/g, "`$1`")
    .replaceAll(/^@(param|returns|throws|default) ?/gm, (_, tag) => `\n_${tag}_ `)
    .replaceAll(/\n{3,}/g, "\n\n");
  return example === undefined ? prose : `${prose}\n\n\`\`\`ts\n${example.trim()}\n\`\`\``.trim();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  writeFileSync(join(ROOT, "docs/api.md"), apiPage());
