/** `GET /events`: the status as it changes. Who reads slowly gets the latest, who reads nothing is cut. */
import { PassThrough } from "node:stream";
import type { Writable } from "node:stream";
import { after } from "../../base/timer.ts";
import type { Timer } from "../../base/timer.ts";
import { IsotorchError } from "../../errors.ts";
import type { App } from "../app.ts";
import { typed } from "../http/answer.ts";
import type { Parts } from "../server.ts";
import { statusOf } from "./status.ts";

const MAX_STREAMS = 32;
const LOOK_MS = 500;
/** A quiet stream still says something, so that neither end takes the other for dead. */
const LONGEST_SILENCE_MS = 10_000;

export function eventRoutes(app: App, parts: Parts): void {
  const streams = new Set<PassThrough>();
  app.onClose(() => {
    for (const stream of streams) stream.end();
  });
  app.onGet("/events", ({ response }) => {
    if (streams.size >= MAX_STREAMS) {
      throw new IsotorchError("QUEUE_FULL", "As many pages as the server takes watch it already.");
    }
    const stream = new PassThrough();
    streams.add(stream);
    const reader = new EventReader(stream, parts.options.limits.answerMs, () => response.destroy());
    const stop = watch(parts, (status) => reader.tell(`data: ${status}\n\n`));
    response.once("close", () => {
      stop();
      reader.stop();
      streams.delete(stream);
    });
    return typed("text/event-stream; charset=utf-8", stream);
  });
}

/** One reader: while it has not taken what it was told, only the latest is kept for it. */
export class EventReader {
  readonly #stream: Writable;
  readonly #patienceMs: number;
  readonly #cut: () => void;
  #latest: string | undefined;
  #patience: Timer | undefined;

  /** @param cut ends a connection that took nothing for `patienceMs`. */
  constructor(stream: Writable, patienceMs: number, cut: () => void) {
    this.#stream = stream;
    this.#patienceMs = patienceMs;
    this.#cut = cut;
    stream.on("drain", () => this.#drained());
  }

  tell(event: string): void {
    if (this.#patience !== undefined) {
      this.#latest = event;
      return;
    }
    if (!this.#stream.write(event)) this.#patience = after(this.#patienceMs, this.#cut);
  }

  stop(): void {
    this.#patience?.cancel();
  }

  #drained(): void {
    this.stop();
    this.#patience = undefined;
    const latest = this.#latest;
    this.#latest = undefined;
    if (latest !== undefined) this.tell(latest);
  }
}

/** Calls `tell` with the status, at once and after every change. @returns what ends it. */
function watch(parts: Parts, tell: (status: string) => void): () => void {
  let said = "";
  let saidAt = 0;
  const look = (): void => {
    const status = JSON.stringify(statusOf(parts));
    const now = performance.now();
    if (status === said && now - saidAt < LONGEST_SILENCE_MS) return;
    [said, saidAt] = [status, now];
    tell(status);
  };
  look();
  const timer = setInterval(look, LOOK_MS);
  const off = parts.options.classifier.on("state", look);
  return () => {
    clearInterval(timer);
    off();
  };
}
