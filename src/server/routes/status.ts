/** `GET /status` once, `GET /events` as it changes: what runs and how it is, without paths of this machine. */
import { PassThrough } from "node:stream";
import type { FastifyInstance } from "fastify";
import { IsotorchError } from "../../errors.ts";
import { PACKAGE_VERSION } from "../../version.ts";
import type { Parts } from "../server.ts";

const MAX_STREAMS = 32;
const LOOK_MS = 500;
/** A quiet stream still says something, so that neither end takes the other for dead. */
const LONGEST_SILENCE_MS = 10_000;

export function statusRoutes(app: FastifyInstance, parts: Parts): void {
  app.get("/status", () => statusOf(parts));

  const streams = new Set<PassThrough>();
  app.addHook("preClose", (done) => {
    for (const stream of streams) stream.end();
    done();
  });
  app.get("/events", (_, reply) => {
    if (streams.size >= MAX_STREAMS) {
      throw new IsotorchError("QUEUE_FULL", "As many pages as the server takes watch it already.");
    }
    const stream = new PassThrough();
    streams.add(stream);
    const stop = watch(parts, (status) => stream.write(`data: ${status}\n\n`));
    reply.raw.once("close", () => {
      stop();
      streams.delete(stream);
    });
    return reply.type("text/event-stream; charset=utf-8").send(stream);
  });
}

/** Calls `tell` with the status, at once and after every change. @returns what ends it. */
function watch({ options, ...parts }: Parts, tell: (status: string) => void): () => void {
  let said = "";
  let saidAt = 0;
  const look = (): void => {
    const status = JSON.stringify(statusOf({ options, ...parts }));
    const now = performance.now();
    if (status === said && now - saidAt < LONGEST_SILENCE_MS) return;
    [said, saidAt] = [status, now];
    tell(status);
  };
  look();
  const timer = setInterval(look, LOOK_MS);
  const off = options.classifier.on("state", look);
  return () => {
    clearInterval(timer);
    off();
  };
}

function statusOf({ options, admission, comparer }: Parts): object {
  const { classifier } = options;
  const { phase, ready, starts, recentExits, waiting, inFlight, lastFailure } = classifier.health();
  const { submitted, succeeded, failed, redelivered } = classifier.stats();
  const { device, deviceName, threads, threadsReason, precision, model, versions, weights, spec } =
    classifier.info();
  return {
    version: PACKAGE_VERSION,
    ready: ready && !admission.isClosed,
    draining: admission.isClosed,
    worker: { phase, ready, starts, recentExits, waiting, inFlight, lastFailure: lastFailure?.code ?? null },
    calls: { submitted, succeeded, failed, redelivered },
    network: {
      model,
      weights: weights.name.split(/[/\\]/).at(-1), // the name of a custom file, not where it lies
      sha256: weights.sha256,
      trained: weights.trained,
      device,
      deviceName,
      threads,
      threadsReason,
      precision,
      versions,
      resize: spec.resize,
      crop: spec.crop,
    },
    compare: comparer !== undefined,
  };
}
