/** The page: files that were read once when the server started. */
import { readFileSync, readdirSync } from "node:fs";
import { extname } from "node:path";
import type { FastifyInstance } from "fastify";
import { HttpProblem } from "../problem.ts";

const FOLDER = new URL("../page/", import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

export function pageRoutes(app: FastifyInstance): void {
  const files = new Map(
    readdirSync(FOLDER).map((name) => [name, readFileSync(new URL(name, FOLDER))] as const),
  );
  const send = (name: string) => {
    const body = files.get(name);
    const type = TYPES[extname(name)];
    if (body !== undefined && type !== undefined) return { body, type };
    throw new HttpProblem("NOT_FOUND", "The page has no such file.", "Open / instead.");
  };
  app.get("/", (_, reply) => {
    const { body, type } = send("index.html");
    return reply.type(type).send(body);
  });
  app.get<{ Params: { file: string } }>("/page/:file", (request, reply) => {
    const { body, type } = send(request.params.file);
    return reply.type(type).send(body);
  });
}
