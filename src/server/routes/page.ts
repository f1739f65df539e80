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
  const files = new Map(
    readdirSync(FOLDER).map((name) => [name, readFileSync(new URL(name, FOLDER))] as const),
  );
  const file = (name: string): Answer => {
    const body = files.get(name);
    const type = TYPES[extname(name)];
    if (body !== undefined && type !== undefined) return typed(type, body);
    throw new HttpProblem("NOT_FOUND", "The page has no such file.", "Open / instead.");
  };
  app.onGet("/", () => file("index.html"));
  app.onGet("/page/:file", ({ params }) => file(params["file"] ?? ""));
}
