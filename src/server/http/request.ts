/** A request as the routes see it, and what they give back. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { requestIdOf } from "../../base/trace.ts";

export type Headers = Readonly<Record<string, string | number>>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** A stream looks after its reader itself. */
  readonly body: Uint8Array | string | Readable;
}

/** What answers the requests for a path. */
export interface Route {
  /** With the names of its parts, such as `/v2/models/:model`. */
  readonly path: string;
  readonly handler: (request: HttpRequest) => Answer | Promise<Answer>;
  /** Runs before the body is taken: makes room for it, or refuses. Without it no body is taken. */
  readonly admit?: (request: HttpRequest) => void;
}

/** What the address says. */
export interface Found {
  /** Undefined where there is nothing. */
  readonly route: Route | undefined;
  readonly params: Readonly<Record<string, string | undefined>>;
  /** A name that is given twice has a list. */
  readonly query: Readonly<Record<string, unknown>>;
}

export class HttpRequest {
  /** The client's own, where it is plain. */
  readonly id: string;
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly route: Route | undefined;
  readonly params: Found["params"];
  readonly query: Found["query"];
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  /** Undefined before it was taken, and where none was sent. */
  body: Buffer | undefined;

  constructor(incoming: IncomingMessage, response: ServerResponse, { route, params, query }: Found) {
    const { method = "GET", url = "/", headers } = incoming;
    this.id = requestIdOf(headers["x-request-id"]);
    this.method = method;
    this.url = url;
    this.headers = headers;
    this.route = route;
    this.params = params;
    this.query = query;
    this.incoming = incoming;
    this.response = response;
  }

  /** The address without its query. */
  get path(): string {
    return this.url.split("?", 1)[0] ?? "";
  }
}
