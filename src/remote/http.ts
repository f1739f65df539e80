/** Requests to one server over a few connections that are kept; the only file that imports `node:http`. */
import * as http from "node:http";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import * as https from "node:https";
import { USER_AGENT } from "../base/fetch.ts";
import { messageOf } from "../base/errors.ts";

/** An answer has a few numbers per class. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** Idle connections close after this, milliseconds; a server that closes earlier is met with another try. */
const KEEP_MS = 30_000;

export interface Exchange {
  readonly method: "GET" | "POST";
  /** Behind the server's address, such as `/v2`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Uint8Array[];
  readonly signal: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export class Connections {
  readonly #url: string;
  readonly #agent: http.Agent;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param most connections at a time; HTTP/1.1 has one request on each, never several behind each other. */
  constructor(url: string, most: number, token: string | undefined) {
    this.#url = url;
    const { Agent } = url.startsWith("https:") ? https : http;
    this.#agent = new Agent({ keepAlive: true, maxSockets: most, scheduling: "lifo", timeout: KEEP_MS });
    this.#headers = {
      "user-agent": USER_AGENT,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
  }

  /**
   * One request and its whole answer, whatever its status is. Redirections are not followed.
   *
   * @throws ConnectionFailure when there is no whole answer; the signal's reason when it fires.
   */
  send({ method, path, headers, body = [], signal }: Exchange): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const length = body.reduce((sum, part) => sum + part.byteLength, 0);
      const { request } = this.#url.startsWith("https:") ? https : http;
      const outgoing = request(
        `${this.#url}${path}`,
        {
          method,
          agent: this.#agent,
          signal,
          headers: { ...headers, ...this.#headers, ...(length > 0 && { "content-length": length }) },
        },
        (response) => void whole(response).then(resolve, fail),
      );
      const fail = (cause: unknown): void =>
        reject(signal.aborted ? signal.reason : new ConnectionFailure(cause, outgoing.reusedSocket));
      outgoing.on("error", fail);
      for (const part of body) outgoing.write(part);
      outgoing.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function whole(response: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (!response.complete) throw new Error("the answer was cut off");
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

/** There is no whole answer: nobody listens, or the connection was cut. */
export class ConnectionFailure extends Error {
  override readonly name = "ConnectionFailure";
  /** The connection had been used before: the server may just have closed it, which says nothing of its health. */
  readonly isStale: boolean;
  /** Nobody listens there. */
  readonly isRefused: boolean;

  constructor(cause: unknown, isReused: boolean) {
    super(messageOf(cause), { cause });
    const { code } = cause as { readonly code?: unknown };
    this.isRefused = code === "ECONNREFUSED";
    this.isStale = isReused && (code === "ECONNRESET" || code === "EPIPE");
  }
}
