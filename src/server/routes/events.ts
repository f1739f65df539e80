/** `GET /events`: the status as it changes. Who reads slowly gets the latest, who reads nothing is cut. */
import { PassThrough } from "node:stream";
import type { Writable } from "node:stream";
import { after } from "../../base/time/timer.ts";
import type { Timer } from "../../base/time/timer.ts";
import { IsotorchError } from "../../base/errors.ts";
import { typed } from "../http/answer.ts";
import type { ServedModel } from "../models.ts";
import type { Parts, Routes } from "../parts.ts";
import { statusOf, watchedOf } from "./status.ts";

const MAX_STREAMS = 32;
const LOOK_MS = 500;
/** How long after a change of state the status is looked at. */
const SOON_MS = 20;
/** A quiet stream still says something, so that neither end takes the other for dead. */
const LONGEST_SILENCE_MS = 10_000;

export function eventRoutes(app: Routes, parts: Parts): void {
  const streams = new Set<PassThrough>();
  const watched = [...parts.models.all, ...(parts.models.all.length === 0 ? [undefined] : [])];
  const watches = new Map(watched.map((model) => [model, new Watch(parts, model)]));
  app.onClose(() => {
    for (const stream of streams) stream.end();
  });
  app.onGet("/events", ({ response, query }) => {
    const watch = watches.get(watchedOf(parts, query));
    if (streams.size >= MAX_STREAMS) {
      throw new IsotorchError("QUEUE_FULL", "As many pages as the server takes watch it already.");
    }
    const stream = new PassThrough();
    streams.add(stream);
    const reader = new EventReader(stream, parts.options.limits.answerMs, () => response.destroy());
    response.once("close", () => {
      watch?.remove(reader);
      reader.stop();
      streams.delete(stream);
    });
    watch?.add(reader);
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

/** Looks at the status of a network, and of the generators, for all its readers together: at once for a new one, soon after every change, and now and then. */
class Watch {
  readonly #parts: Parts;
  readonly #model: ServedModel | undefined;
  readonly #readers = new Map<EventReader, { said: string; at: number }>();
  #stop: (() => void) | undefined;
  #soon: Timer | undefined;

  constructor(parts: Parts, model: ServedModel | undefined) {
    this.#parts = parts;
    this.#model = model;
  }

  add(reader: EventReader): void {
    this.#readers.set(reader, { said: "", at: 0 });
    this.#stop ??= this.#start();
    this.#look();
  }

  remove(reader: EventReader): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #start(): () => void {
    const timer = setInterval(() => this.#look(), LOOK_MS);
    const onState = (): void => {
      // Under load it changes with every call, and nobody reads so fast.
      this.#soon ??= after(SOON_MS, () => {
        this.#soon = undefined;
        this.#look();
      });
    };
    const generators = Object.values(this.#parts.options.generators);
    const offs = [this.#model?.classifier, ...generators].map((one) => one?.on("state", onState));
    return () => {
      clearInterval(timer);
      this.#soon?.cancel();
      this.#soon = undefined;
      for (const off of offs) off?.();
    };
  }

  #look(): void {
    const status = JSON.stringify(statusOf(this.#parts, this.#model));
    const now = performance.now();
    for (const [reader, last] of this.#readers) {
      if (status === last.said && now - last.at < LONGEST_SILENCE_MS) continue;
      this.#readers.set(reader, { said: status, at: now });
      reader.tell(`data: ${status}\n\n`);
    }
  }
}
