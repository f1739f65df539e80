/** The server of Node, one for each address that it listens on. */
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ServerLimits } from "../options.ts";
import { boundConnections } from "../security/connections.ts";
import { answerBroken } from "./broken.ts";

/** How often connections are looked at that have not sent a whole request yet, milliseconds. */
const LOOK_MS = 1_000;

/** Answers a request that came in by that port. */
export type Answerer = (request: IncomingMessage, response: ServerResponse, port: number) => void;

export class Listener {
  readonly #answer: Answerer;
  readonly #limits: ServerLimits;
  readonly #servers: Server[] = [];

  constructor(answer: Answerer, limits: ServerLimits) {
    this.#answer = answer;
    this.#limits = limits;
  }

  /**
   * `localhost` may be several addresses: further ones are listened on where they can be had.
   *
   * @returns the port.
   * @throws what the system says where the port cannot be had.
   */
  async listen(host: string, port: number): Promise<number> {
    const taken = await this.#open(host, port);
    if (host !== "localhost") return taken.port;
    const others = await lookup(host, { all: true }).catch(() => []);
    for (const { address } of others.filter((one) => one.address !== taken.address)) {
      await this.#open(address, taken.port).catch(() => undefined);
    }
    return taken.port;
  }

  /** Connections between two requests. */
  closeIdle(): void {
    for (const server of this.#servers) server.closeIdleConnections();
  }

  /** Listens no longer, and cuts every connection. */
  async close(): Promise<void> {
    const closed = this.#servers.splice(0).map(async (server) => {
      const end = once(server, "close");
      server.close();
      server.closeAllConnections();
      await end;
    });
    await Promise.all(closed);
  }

  async #open(host: string, port: number): Promise<AddressInfo> {
    const { headersMs, requestMs, maxConnections } = this.#limits;
    const server = createServer({
      requestTimeout: requestMs,
      headersTimeout: Math.min(headersMs, requestMs),
      connectionsCheckingInterval: Math.min(LOOK_MS, headersMs),
    });
    server.on("request", (request, response) => this.#answer(request, response, addressOf(server).port));
    boundConnections(server, maxConnections);
    answerBroken(server);
    server.listen({ host, port });
    await once(server, "listening");
    this.#servers.push(server);
    return addressOf(server);
  }
}

function addressOf(server: Server): AddressInfo {
  return server.address() as AddressInfo;
}
