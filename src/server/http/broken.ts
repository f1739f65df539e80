/** What is no request at all, or came too slowly: refused in our words before anything looked at it. */
import { STATUS_CODES } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { after } from "../../base/time/timer.ts";
import { SAFE_HEADERS } from "../security/headers.ts";
import { JSON_TYPE } from "./answer.ts";

/** A client that still sends would lose the answer if the connection ended at once. */
const LINGER_MS = 1_000;

const REASONS: Readonly<Record<string, readonly [status: number, message: string, hint: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "The address and the headers are too long.", "Shorten them."],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "The extensions of the chunks are too long.", "Leave them out."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request came too slowly.", "Send it again, faster."],
};
const MALFORMED = [400, "This is not a request of HTTP/1.1.", "Ask with http://, not https://."] as const;

/** Answers instead of Node, whose own answers have neither a document nor the headers that bind a browser. */
export function answerBroken(server: Server): void {
  /** Answers that have begun, by connection: nothing may be written between them. */
  const begun = new WeakMap<Socket, Set<ServerResponse>>();
  server.prependListener("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    const open = begun.get(socket) ?? new Set();
    begun.set(socket, open.add(response));
    response.once("close", () => open.delete(response));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, duplex) => {
    const socket = duplex as Socket;
    const isMixed = [...(begun.get(socket) ?? [])].some(({ headersSent }) => headersSent);
    if (error.code === "ECONNRESET" || isMixed) return void socket.destroy();
    // What still comes after the answer is no news.
    if (!socket.writable) return;
    socket.end(documentOf(REASONS[error.code ?? ""] ?? MALFORMED));
    const timer = after(LINGER_MS, () => socket.destroy());
    socket.once("close", () => timer.cancel());
  });
}

function documentOf([status, message, hint]: readonly [number, string, string]): string {
  const body = JSON.stringify({ error: { code: "BAD_REQUEST", message, hint } });
  const headers = { ...SAFE_HEADERS, "content-type": JSON_TYPE, "content-length": body.length };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}connection: close\r\n\r\n${body}`;
}
