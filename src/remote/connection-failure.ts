/** There is no whole answer of a server, and what that says of it. */
import { messageOf } from "../base/errors.ts";

/** Codes of a connection that the other side has closed; the last one is undici's. */
const CUT: readonly unknown[] = ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"];

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
    this.isStale = isReused && CUT.includes(code);
  }
}
