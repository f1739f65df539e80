/** Connections that say nothing make room for those that do. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * Keeps a server's connections below a number: the one that has been silent longest, before its first request or
 * between two, is cut for a new one. Whoever is answered at the moment stays.
 *
 * @param most connections at a time.
 */
export function boundConnections(server: Server, most: number): void {
  /** In the order in which they fell silent. */
  const silent = new Set<Socket>();
  /** Requests of a connection that are being answered: several, where a client does not wait. */
  const busy = new WeakMap<Socket, number>();
  let open = 0;
  server.on("connection", (socket: Socket) => {
    open += 1;
    if (open > most) {
      const [oldest = socket] = silent;
      oldest.destroy();
      silent.delete(oldest);
    }
    if (!socket.destroyed) silent.add(socket);
    socket.once("close", () => {
      open -= 1;
      silent.delete(socket);
    });
  });
  // Before whoever answers: what begins is no longer silent.
  server.prependListener("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    silent.delete(socket);
    busy.set(socket, (busy.get(socket) ?? 0) + 1);
    response.once("close", () => {
      const left = (busy.get(socket) ?? 1) - 1;
      busy.set(socket, left);
      if (left === 0 && !socket.destroyed) silent.add(socket);
    });
  });
}
