/** What every request goes through, before and after its route. */
import type { IncomingMessage, ServerResponse } from "node:http";
import createRouter from "find-my-way";
import { excerpt } from "../base/text/shown.ts";
import { LEAST_MS } from "../checkpoints/deadline.ts";
import { JSON_TYPE, json, send } from "./http/answer.ts";
import type { Answer, Found, Route } from "./http/request.ts";
import { Listener } from "./http/listener.ts";
import { Log } from "./http/log.ts";
import { HttpRequest } from "./http/request.ts";
import { HttpProblem, tell } from "./problem.ts";
import type { Told } from "./problem.ts";
import { beginCall, callOf } from "./request/call.ts";
import { bodyOf, encodingOf } from "./request/receive.ts";
import { refusalOf } from "./security/gate.ts";
import { SAFE_HEADERS } from "./security/headers.ts";
import { hostCheck } from "./security/hosts.ts";
import { tokenGuard } from "./security/token.ts";
import type { Parts, Routes } from "./parts.ts";

/** Routes that need no token: probes, and the page's own files, which hold no secret. */
const OPEN = new Set(["/v2/health/live", "/v2/health/ready", "/", "/page/:file"]);
/** As long as the line of a request can be: the router has no limit of its own. */
const LONGEST_NAME = 64 * 1024;

/** Without routes. */
export class App implements Routes {
  readonly #parts: Parts;
  readonly #log: Log;
  readonly #guard: ((authorization: string | undefined) => void) | undefined;
  readonly #router = createRouter({ maxParamLength: LONGEST_NAME });
  readonly #listener: Listener;
  readonly #ends: (() => void)[] = [];
  #isAllowed: ((host: string) => boolean) | undefined;

  constructor(parts: Parts) {
    const { token, limits, logLevel, logTo } = parts.options;
    this.#parts = parts;
    this.#log = new Log(logLevel, logTo);
    this.#guard = token === undefined ? undefined : tokenGuard(token);
    this.#listener = new Listener((...came) => this.#take(...came), limits);
  }

  onGet(path: string, handler: Route["handler"]): void {
    this.#add("GET", { path, handler });
  }

  /** With a body. @param admit runs before it is taken. */
  onPost(path: string, admit: NonNullable<Route["admit"]>, handler: Route["handler"]): void {
    this.#add("POST", { path, handler, admit });
  }

  /** Calls `end` before the last connections are cut. */
  onClose(end: () => void): void {
    this.#ends.push(end);
  }

  /** @returns the port. @throws what the system says where it cannot be had. */
  async listen(host: string, port: number): Promise<number> {
    const taken = await this.#listener.listen(host, port);
    this.#log.write("info", `Listening on ${host}, port ${taken}`);
    return taken;
  }

  /** Whoever did not finish by now had its time; streams of events end too. */
  async close(): Promise<void> {
    this.#listener.closeIdle();
    for (const end of this.#ends) end();
    await this.#listener.close();
  }

  #add(method: "GET" | "POST", route: Route): void {
    this.#router.on(method, route.path, () => undefined, route);
  }

  #find({ method, url = "/" }: IncomingMessage): Found {
    const found = this.#router.find(method as "GET", url);
    if (found === null) return { route: undefined, params: {}, query: {} };
    return { route: found.store as Route, params: found.params, query: found.searchParams };
  }

  #take(incoming: IncomingMessage, response: ServerResponse, port: number): void {
    const { host, allowHosts } = this.#parts.options;
    this.#isAllowed ??= hostCheck(port, host, allowHosts);
    const problem = refusalOf(incoming.headers, incoming.url, this.#isAllowed);
    if (problem === undefined) void this.#answer(new HttpRequest(incoming, response, this.#find(incoming)));
    else refuse(incoming, response, tell(problem));
  }

  async #answer(request: HttpRequest): Promise<void> {
    const { response } = request;
    for (const [name, value] of Object.entries(SAFE_HEADERS)) response.setHeader(name, value);
    response.setHeader("x-request-id", request.id);
    response.once("close", () => this.#finished(request));
    try {
      const answer = await this.#work(request).catch((error: unknown) => this.#failed(error, request));
      await send(request, answer, this.#parts.options.limits.answerMs);
    } catch (error) {
      this.#log.mistake(error, { reqId: request.id });
      response.destroy();
    }
  }

  async #work(request: HttpRequest): Promise<Answer> {
    const { route, headers } = request;
    beginCall(request, this.#timeoutOf(request));
    if (!OPEN.has(route?.path ?? "")) this.#guard?.(headers.authorization);
    encodingOf(request);
    if (route === undefined) throw notFound(request);
    if (route.admit !== undefined) {
      route.admit(request);
      request.body = await bodyOf(request);
    }
    return route.handler(request);
  }

  /** Where the request does not say it itself. A network that is not there is refused soon enough. */
  #timeoutOf({ params, query }: HttpRequest): number {
    const { options, models } = this.#parts;
    const model = models.find(params["model"] ?? query["model"]) ?? models.all[0];
    return options.timeoutMs ?? model?.classifier.info().timeoutMs ?? LEAST_MS;
  }

  /** An error in the shape that belongs to the address. */
  #failed(error: unknown, request: HttpRequest): Answer {
    const { response } = request;
    const told = tell(error);
    callOf(request).code = told.code;
    if (told.code === "INTERNAL") this.#log.mistake(error, { reqId: request.id });
    if (told.retryAfter !== undefined) response.setHeader("retry-after", told.retryAfter);
    if (told.status === 401) response.setHeader("www-authenticate", "Bearer");
    return json(errorOf(told, request.url), told.status);
  }

  /** One line and one count for a request that is through. */
  #finished(request: HttpRequest): void {
    const { response, method } = request;
    const isGone = !response.writableFinished;
    const { trace, started, code = isGone ? "ABORTED" : undefined } = callOf(request);
    const status = isGone ? 499 : response.statusCode;
    const ms = performance.now() - started;
    const route = request.route?.path ?? "unmatched";
    this.#parts.metrics.request({ route, method, status: String(status) }, ms);
    // Probes and scrapes would drown the rest.
    const isQuiet = method === "GET" && status < 400;
    this.#log.write(isQuiet ? "debug" : "info", "answered", {
      reqId: request.id,
      method,
      path: excerpt(request.path),
      status,
      ms: Math.round(ms * 10) / 10,
      ...(code !== undefined && { code }),
      traceId: trace.traceId,
      spanId: trace.spanId,
      ...(trace.parentId !== undefined && { parentId: trace.parentId }),
    });
  }
}

function notFound({ method, path }: HttpRequest): HttpProblem {
  return new HttpProblem(
    "NOT_FOUND",
    `There is no ${method} ${excerpt(path)}.`,
    "docs/server.md lists what there is.",
  );
}

/** The protocol's `{"error": sentence}` below /v2, with the code beside it; elsewhere the object of the command line. */
function errorOf({ code, message, hint }: Told, url: string): object {
  const isProtocol = /^\/v2(?:[/?]|$)/.test(url);
  return isProtocol ? { error: `${message} ${hint}`, code, hint } : { error: { code, message, hint } };
}

/** Before anything else looks at the request. */
function refuse({ url = "" }: IncomingMessage, response: ServerResponse, told: Told): void {
  const body = JSON.stringify(errorOf(told, url));
  response.writeHead(told.status, {
    ...SAFE_HEADERS,
    "content-type": JSON_TYPE,
    "content-length": Buffer.byteLength(body),
    connection: "close",
  });
  response.end(body);
}
