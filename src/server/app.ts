/** The framework with what every request goes through, before and after its route. */
import { excerpt } from "../base/shown.ts";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { LogController, fastify } from "fastify";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { HttpProblem, mediaTypeProblem, tell } from "./problem.ts";
import type { Told } from "./problem.ts";
import { beginCall, callOf } from "./request/call.ts";
import { requestIdOf, traceparent } from "../trace.ts";
import { allowedHosts, refusalOf } from "./security/gate.ts";
import { SAFE_HEADERS } from "./security/headers.ts";
import { tokenGuard } from "./security/token.ts";
import type { Parts } from "./server.ts";

/** Routes that need no token: probes, and the page's own files, which hold no secret. */
const OPEN = new Set(["/v2/health/live", "/v2/health/ready", "/", "/page/:file"]);

/** Time to send a whole request; a slower client is cut off. */
const RECEIVE_MS = 60_000;

/** Without routes. */
export function createApp(parts: Parts): FastifyInstance {
  const { options } = parts;
  const app = fastify({
    logger: { level: options.logLevel, stream: options.logTo, base: null },
    logController: new LogController({ disableRequestLogging: true }), // `finished` writes one line of its own
    genReqId: ({ headers }) => requestIdOf(headers["x-request-id"]),
    requestIdHeader: false,
    return503OnClosing: false,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    serverFactory: (handler) => {
      const hosts = lazily(() => allowedHosts(portOf(server), options.host, options.allowHosts));
      const server = createServer(
        { requestTimeout: RECEIVE_MS, headersTimeout: RECEIVE_MS },
        (request, response) => {
          const problem = refusalOf(request.headers, request.url, hosts());
          if (problem === undefined) handler(request, response);
          else refuse(request, response, tell(problem));
        },
      );
      server.maxConnections = 1_024;
      return server;
    },
  });
  app.removeAllContentTypeParsers();
  for (const type of [/^image\//, "application/octet-stream", "application/json"]) {
    app.addContentTypeParser(type, { parseAs: "buffer" }, (_, body, done) => done(null, body));
  }
  const guard = options.token === undefined ? undefined : tokenGuard(options.token);
  app.addHook("onRequest", (request, reply, done) => {
    void reply.headers({ ...SAFE_HEADERS, "x-request-id": request.id });
    // Fastify's own hook stays silent where the client has gone.
    reply.raw.once("close", () => finished(request, reply, parts));
    const call = beginCall(request, reply, options.timeoutMs);
    void reply.header("traceparent", traceparent(call.trace));
    if (!OPEN.has(request.routeOptions.url ?? "")) guard?.(request.headers.authorization);
    if (request.headers["content-encoding"] !== undefined) throw mediaTypeProblem();
    done();
  });
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler((request) => {
    throw new HttpProblem(
      "NOT_FOUND",
      `There is no ${request.method} ${excerpt(pathOf(request))}.`,
      "docs/server.md lists what there is.",
    );
  });
  return app;
}

/** Answers with an error in the shape that belongs to the address. */
function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const told = tell(error);
  callOf(request).code = told.code;
  if (told.code === "INTERNAL") request.log.error({ err: error }, "a mistake of the server");
  if (told.retryAfter !== undefined) void reply.header("retry-after", told.retryAfter);
  if (told.status === 401) void reply.header("www-authenticate", "Bearer");
  return reply.code(told.status).type("application/json; charset=utf-8").send(errorBody(told, request.url));
}

/** The protocol's `{"error": sentence}` below /v2, with the code beside it; elsewhere the object of the command line. */
function errorBody({ code, message, hint }: Told, url: string): string {
  const isProtocol = /^\/v2(?:[/?]|$)/.test(url);
  return JSON.stringify(
    isProtocol ? { error: `${message} ${hint}`, code, hint } : { error: { code, message, hint } },
  );
}

/** Without the framework: it has not seen this request. */
function refuse(request: IncomingMessage, response: ServerResponse, told: Told): void {
  const body = errorBody(told, request.url ?? "");
  response.writeHead(told.status, {
    ...SAFE_HEADERS,
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  });
  response.end(body);
}

/** One line and one count for a request that is through. */
function finished(request: FastifyRequest, reply: FastifyReply, { metrics }: Parts): void {
  const isGone = !reply.raw.writableFinished;
  const { trace, started, code = isGone ? "ABORTED" : undefined } = callOf(request);
  const status = isGone ? 499 : reply.statusCode;
  const ms = performance.now() - started;
  const route = request.routeOptions.url ?? "unmatched";
  const { method } = request;
  metrics.request({ route, method, status: String(status) }, ms);
  const line = {
    method,
    path: excerpt(pathOf(request)),
    status,
    ms: Math.round(ms * 10) / 10,
    ...(code !== undefined && { code }),
    traceId: trace.traceId,
    spanId: trace.spanId,
    ...(trace.parentId !== undefined && { parentId: trace.parentId }),
  };
  // Probes and scrapes would drown the rest.
  const isQuiet = method === "GET" && status < 400;
  request.log[isQuiet ? "debug" : "info"](line, "answered");
}

function pathOf(request: FastifyRequest): string {
  return request.url.split("?", 1)[0] ?? "";
}

function portOf(server: { address(): unknown }): number {
  return (server.address() as { readonly port: number }).port;
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
