/** The program of a process that prepares pictures, one at a time. It lives as long as whoever started it. */
import { serialise } from "../serialised-error.ts";
import type { FromChild, ToChild } from "./messages.ts";

let running: { readonly id: number; readonly controller: AbortController } | undefined;

// A decoder in a thread of Node's would hold up process.exit() until it has finished.
const end = (): void => void process.kill(process.pid, "SIGKILL");
process.on("disconnect", end);
if (!process.connected) end();
// Whoever stops a service may signal all of its processes: the one that started this decides when it ends.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);

// Late, so that a library that does not load can be told.
import("./work.ts").then(
  ({ answerTo }) => {
    process.on("message", (message: ToChild) => {
      if ("abort" in message) {
        if (running?.id === message.abort) running.controller.abort();
        return;
      }
      const controller = new AbortController();
      running = { id: message.id, controller };
      void answerTo(message, controller.signal).then(tell);
    });
    tell("ready");
  },
  (error: unknown) => tell({ unable: serialise(error) }),
);

function tell(message: FromChild): void {
  try {
    process.send?.(message);
  } catch (error) {
    // Too little memory for a copy of what was made.
    if (message === "ready" || !("id" in message)) throw error;
    process.send?.({ id: message.id, error: serialise(error) } satisfies FromChild);
  }
}
