/** Requests to one server over a few connections that are kept; the only file of `remote` that imports undici. */
import { Client, DecoratorHandler, Pool, errors } from "undici";
import type { Dispatcher } from "undici";
import { USER_AGENT } from "../base/fetch.ts";
import { ConnectionFailure } from "./connection-failure.ts";

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
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

export class Connections {
  readonly #pool: Pool;
  /** Of the server's address, before every path. */
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param most connections at a time; HTTP/1.1 has one request on each, never several behind each other. */
  constructor(url: string, most: number, token: string | undefined) {
    const { origin, pathname } = new URL(url);
    this.#base = pathname === "/" ? "" : pathname;
    this.#pool = new Pool(origin, {
      factory: (address, options) => new Connection(address, options),
      connections: most,
      keepAliveTimeout: KEEP_MS,
      keepAliveMaxTimeout: KEEP_MS,
      maxResponseSize: MAX_ANSWER_BYTES,
      // How long a call may take is said by its signal.
      connect: { timeout: 0 },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
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
  async send({ method, path, headers, body = [], signal }: Exchange): Promise<Reply> {
    try {
      const answer = await this.#pool.request({
        method,
        path: `${this.#base}${path}`,
        headers: { ...headers, ...this.#headers },
        signal,
        ...(body.length > 0 && { body: Buffer.concat(body) }),
      });
      return {
        status: answer.statusCode,
        headers: Object.fromEntries(
          Object.entries(answer.headers).map(([name, value]) => [name, String(value)]),
        ),
        body: Buffer.from(await answer.body.arrayBuffer()),
      };
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      throw thrown instanceof ConnectionFailure ? thrown : new ConnectionFailure(thrown, false);
    }
  }

  close(): void {
    void this.#pool.destroy();
  }
}

/** One connection at a time, which knows whether it has answered before. */
class Connection extends Client {
  #answers = 0;

  constructor(address: URL, options: object) {
    super(address, options);
    // Whatever could not be answered hears of it before this does.
    this.on("disconnect", () => (this.#answers = 0));
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandlers): boolean {
    const answered = (): void => void (this.#answers += 1);
    const failure = (cause: Error): Error => new ConnectionFailure(told(cause), this.#answers > 0);
    return super.dispatch(options, new Watched(handler, answered, failure));
  }
}

class Watched extends DecoratorHandler {
  readonly #handler: Dispatcher.DispatchHandlers;
  readonly #answered: () => void;
  readonly #failure: (cause: Error) => Error;

  constructor(handler: Dispatcher.DispatchHandlers, answered: () => void, failure: (cause: Error) => Error) {
    super(handler);
    this.#handler = handler;
    this.#answered = answered;
    this.#failure = failure;
  }

  onComplete(trailers: string[] | null): void {
    this.#answered();
    this.#handler.onComplete?.(trailers);
  }

  onError(cause: Error): void {
    this.#handler.onError?.(this.#failure(cause));
  }
}

function told(cause: Error): Error {
  if (!(cause instanceof errors.ResponseExceededMaxSizeError)) return cause;
  return new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`, { cause });
}
