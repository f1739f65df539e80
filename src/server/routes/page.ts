/** The page: files that were read once when the server started. */
import { readFileSync, readdirSync } from "node:fs";
import { extname } from "node:path";
import type { Routes } from "../parts.ts";
import { typed } from "../http/answer.ts";
import type { Answer } from "../http/request.ts";
import { HttpProblem } from "../problem.ts";

const FOLDER = new URL("../page/", import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

export function pageRoutes(app: Routes): void {
  const file = (files: ReadonlyMap<string, Buffer>, name: string): Answer => {
    const body = files.get(name);
    const type = TYPES[extname(name)];
    if (body !== undefined && type !== undefined) return typed(type, body);
    throw new HttpProblem("NOT_FOUND", "The page has no such file.", "Open / instead.");
  };
  const [page, texts] = [filesOf(FOLDER), filesOf(new URL("text/", FOLDER))];
  app.onGet("/", () => file(page, "index.html"));
  app.onGet("/page/:file", ({ params }) => file(page, params["file"] ?? ""));
  app.onGet("/page/text/:file", ({ params }) => file(texts, params["file"] ?? ""));
}

/** Those of a folder, without those of folders in it. */
function filesOf(folder: URL): ReadonlyMap<string, Buffer> {
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(entries.map(({ name }) => [name, readFileSync(new URL(name, folder))]));
}
