/** The program of a preprocessing thread: jobs in, what was made of them out, several at a time. */
import { parentPort } from "node:worker_threads";
import { outOfMemory } from "../base/memory.ts";
import { ownDigests } from "./attest/digests.ts";
import { carry } from "./carried.ts";
import type { FromThread, ToThread } from "./pool.ts";
import { prepare, type Prepared } from "./prepare.ts";

const port = parentPort;
if (port === null) throw new Error("thread.js is started by pool.js, as a worker thread");

const running = new Map<number, AbortController>();

port.on("message", (message: ToThread) => {
  if ("abort" in message) running.get(message.abort)?.abort();
  else void answer(message);
});

async function answer({ id, job }: Exclude<ToThread, { abort: number }>): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  let reply: FromThread;
  try {
    reply =
      job === "attest"
        ? { id, digests: await ownDigests() }
        : { id, prepared: await prepare(job, controller.signal) };
  } catch (error) {
    reply = { id, error: carry(outOfMemory(error) ?? error) };
  }
  running.delete(id);
  port?.postMessage(reply, "prepared" in reply ? memoryOf(reply.prepared) : []);
}

/** Handed over, not copied. */
function memoryOf({ encoded, pixels, cropped, tensor }: Prepared): ArrayBuffer[] {
  const arrays = [encoded, pixels?.data, cropped?.data, tensor?.data];
  const buffers = arrays.flatMap((array) => (array?.buffer instanceof ArrayBuffer ? [array.buffer] : []));
  // What was cropped may be the picture itself.
  return [...new Set(buffers)];
}
