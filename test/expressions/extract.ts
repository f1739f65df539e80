/** Every regular expression that the source has, found by parsers and not by searching. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "oxc-parser";
import { PYTHON } from "../python.ts";

/** Where an expression stands, and what it is. */
export interface Expression {
  /** `src/classification/labels/csv.ts:75` */
  readonly place: string;
  readonly source: string;
  readonly flags: string;
}

/** One that is put together while the program runs. */
export interface Composed {
  readonly place: string;
  /** As it is written. */
  readonly text: string;
}

interface Found {
  readonly literal: Expression[];
  readonly composed: Composed[];
}

/** Those of JavaScript and TypeScript below a folder. */
export function ofScripts(root: string, folder: string): Found {
  const found: Found = { literal: [], composed: [] };
  for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(?:ts|js|mjs)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    ofScript(path.slice(root.length).replace(/^[\\/]/, ""), readFileSync(path, "utf8"), found);
  }
  return found;
}

/** Those of one file's text. */
export function ofScript(name: string, text: string, found: Found = { literal: [], composed: [] }): Found {
  const { program, errors } = parseSync(name, text);
  if (errors.length > 0) throw new Error(`${name}: ${errors[0]?.message}`);
  const placeOf = (start: number): string => `${name}:${text.slice(0, start).split("\n").length}`;
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(walk);
    if (typeof value !== "object" || value === null) return;
    const node = value as Record<string, unknown>;
    const start = Number(node["start"]);
    const regex = node["regex"] as { pattern: string; flags: string } | undefined;
    if (node["type"] === "Literal" && regex)
      found.literal.push({ place: placeOf(start), source: regex.pattern, flags: regex.flags });
    const callee = node["callee"] as { name?: string } | undefined;
    if (/^(?:New|Call)Expression$/.test(String(node["type"])) && callee?.name === "RegExp")
      found.composed.push({ place: placeOf(start), text: text.slice(start, Number(node["end"])) });
    Object.values(node).forEach(walk);
  };
  walk(program);
  return found;
}

const BY_AST = `
import ast, json, pathlib, sys
root = pathlib.Path(sys.argv[1])
literal, composed = [], []
CALLS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
for path in sorted(root.glob(sys.argv[2])):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        named = [k.value for k in node.keywords if k.arg == "pattern"]
        f = node.func
        is_re = isinstance(f, ast.Attribute) and f.attr in CALLS and isinstance(f.value, ast.Name) and f.value.id == "re"
        for value in (node.args[:1] if is_re else []) + named:
            place = f"{path.relative_to(root)}:{node.lineno}"
            if isinstance(value, ast.Constant) and isinstance(value.value, (str, bytes)):
                text = value.value if isinstance(value.value, str) else value.value.decode("latin-1")
                rest = " ".join(ast.unparse(part) for part in node.args[1:] + [k.value for k in node.keywords])
                flags = "".join(short for name, short in (("MULTILINE", "m"), ("DOTALL", "s"), ("IGNORECASE", "i")) if name in rest)
                if is_re and f.attr == "fullmatch":
                    text = f"(?:{text})$"
                if is_re and f.attr in ("match", "fullmatch"):
                    flags += "y"
                literal.append({"place": place, "source": text, "flags": flags})
            elif not (isinstance(value, ast.Constant) and value.value is None):
                composed.append({"place": place, "text": ast.unparse(value)})
print(json.dumps({"literal": literal, "composed": composed}))
`;

/** Those of Python, in JavaScript's spelling. */
export function ofPython(root: string, pattern: string): Found {
  const printed = execFileSync(PYTHON, ["-I", "-c", BY_AST, root, pattern], { encoding: "utf8" });
  const { literal, composed } = JSON.parse(printed) as Found;
  const translated = literal.map((expression) => ({
    ...expression,
    source: expression.source
      .replaceAll("(?P<", "(?<")
      .replaceAll(String.raw`\Z`, "$")
      .replaceAll(String.raw`\A`, "^"),
  }));
  return { literal: translated, composed };
}
