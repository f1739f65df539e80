/** The framework with what every request goes through, before and after its route. */
import { excerpt } from "../base/shown.ts";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { LogController, fastify } from "fastify";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { after } from "../base/timer.ts";
import { HttpProblem, tell } from "./problem.ts";
import type { Told } from "./problem.ts";
import { beginCall, callOf } from "./request/call.ts";
import { compress } from "./request/compress.ts";
import { FORM } from "./request/form.ts";
import { encodingOf, receive } from "./request/receive.ts";
import { requestIdOf, traceparent } from "../trace.ts";
import { boundConnections } from "./security/connections.ts";
import { refusalOf } from "./security/gate.ts";
import { SAFE_HEADERS } from "./security/headers.ts";
import { hostCheck } from "./security/hosts.ts";
import { tokenGuard } from "./security/token.ts";
import type { Parts } from "./server.ts";

/** Routes that need no token: probes, and the page's own files, which hold no secret. */
const OPEN = new Set(["/v2/health/live", "/v2/health/ready", "/", "/page/:file"]);

/** As long as the line of a request can be: the router's own refusal of a long name would go before the token. */
const LONGEST_NAME = 64 * 1024;
/** How often connections are looked at that have not sent a whole request yet, milliseconds. */
const LOOK_MS = 1_000;

/** Without routes. */
export function createApp(parts: Parts): FastifyInstance {
  const { options } = parts;
  const { limits } = options;
  const app = fastify({
    logger: { level: options.logLevel, stream: options.logTo, base: null },
    logController: new LogController({ disableRequestLogging: true }), // `finished` writes one line of its own
    genReqId: ({ headers }) => requestIdOf(headers["x-request-id"]),
    requestIdHeader: false,
    return503OnClosing: false,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: LONGEST_NAME },
    serverFactory: (handler) => {
      const isAllowed = lazily(() => hostCheck(portOf(server), options.host, options.allowHosts));
      const server = createServer(
        {
          requestTimeout: limits.requestMs,
          headersTimeout: Math.min(limits.headersMs, limits.requestMs),
          connectionsCheckingInterval: Math.min(LOOK_MS, limits.headersMs),
        },
        (request, response) => {
          const problem = refusalOf(request.headers, request.url, isAllowed());
          if (problem === undefined) handler(request, response);
          else refuse(request, response, tell(problem));
        },
      );
      boundConnections(server, limits.maxConnections);
      return server;
    },
  });
  app.removeAllContentTypeParsers();
  for (const type of [/^image\//, "application/octet-stream", "application/json", FORM]) {
    app.addContentTypeParser(type, receive);
  }
  const guard = options.token === undefined ? undefined : tokenGuard(options.token);
  app.addHook("onRequest", (request, reply, done) => {
    void reply.headers({ ...SAFE_HEADERS, "x-request-id": request.id });
    // Fastify's own hook stays silent where the client has gone.
    reply.raw.once("close", () => finished(request, reply, parts));
    const call = beginCall(request, reply, options.timeoutMs);
    void reply.header("traceparent", traceparent(call.trace));
    if (!OPEN.has(request.routeOptions.url ?? "")) guard?.(request.headers.authorization);
    encodingOf(request);
    done();
  });
  app.addHook("onSend", compress);
  app.addHook("onSend", (_, reply, payload, done) => {
    // Streams look after their readers themselves.
    if (typeof payload === "string" || Buffer.isBuffer(payload)) cutSlowReader(reply, limits.answerMs);
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

/** An answer that nobody takes is not kept for ever. */
function cutSlowReader({ raw }: FastifyReply, ms: number): void {
  if (raw.closed) return;
  const timer = after(ms, () => raw.destroy());
  raw.once("close", () => timer.cancel());
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
