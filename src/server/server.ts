/** The HTTP server: its parts are put together here and nowhere else. */
import { Pool } from "../image/pool.ts";
import { App } from "./app.ts";
import type { Parts } from "./parts.ts";
import { Metrics } from "./metrics/metrics.ts";
import { inferRoutes } from "./oip/routes.ts";
import { Models } from "./models.ts";
import { resolveServerOptions } from "./options.ts";
import type { ServerOptions } from "./options.ts";
import { completionRoutes } from "./completions/routes.ts";
import { Admission } from "./request/admission.ts";
import { classifyRoutes } from "./routes/classify.ts";
import { compareRoutes } from "./routes/compare.ts";
import { healthRoutes } from "./routes/health.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { pageRoutes } from "./routes/page.ts";
import { eventRoutes } from "./routes/events.ts";
import { statusRoutes } from "./routes/status.ts";

/** A server that listens. */
export interface Server extends AsyncDisposable {
  /** Such as `http://127.0.0.1:8000`. */
  readonly url: string;
  readonly port: number;
  /** What clients have to show; undefined with `token: "off"`. */
  readonly token: string | undefined;
  /** The page's address with the token behind `#`, which browsers never send anywhere. */
  readonly pageUrl: string;
  /**
   * Stops in an orderly way: `ready` says 503 at once, nothing new is taken, what was taken is answered, for up to
   * `drainMs`. Idempotent.
   * @default drainMs 30000
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/**
 * Starts a server in front of a classifier or a generator, or of several.
 *
 * @throws IsotorchError `INVALID_OPTION`; the system's error where the port cannot be had.
 * @example
 * import { createServer } from "isotorch/server";
 *
 * await using server = await createServer({ classifier: await createClassifier(), port: 0 });
 * console.log(server.pageUrl);
 */
export async function createServer(given: ServerOptions): Promise<Server> {
  const options = resolveServerOptions(given);
  const decoder = new Pool(options.decoder);
  const admission = new Admission(options.limits);
  const models = new Models(options, decoder);
  const metrics = new Metrics({ models, decoder, admission });
  const parts: Parts = { options, models, admission, metrics };
  const app = new App(parts);
  for (const routes of [
    healthRoutes,
    classifyRoutes,
    inferRoutes,
    compareRoutes,
    statusRoutes,
    eventRoutes,
    metricsRoutes,
    pageRoutes,
    completionRoutes,
  ]) {
    routes(app, parts);
  }
  const release = async (): Promise<void> => {
    metrics.close();
    await Promise.all([decoder.close(), models.close()]);
  };
  try {
    const port = await app.listen(options.host, options.port);
    decoder.warm();
    return serverOf(app, port, parts, release);
  } catch (error) {
    await Promise.all([app.close(), release()]);
    throw error;
  }
}

function serverOf(
  app: App,
  port: number,
  { options, admission }: Parts,
  release: () => Promise<void>,
): Server {
  const { token, host } = options;
  const shown = host === "0.0.0.0" || host === "::" ? "localhost" : host.includes(":") ? `[${host}]` : host;
  const url = `http://${shown}:${port}`;
  let closing: Promise<void> | undefined;
  const close = async (drainMs: number): Promise<void> => {
    await admission.drain(drainMs);
    await app.close();
    await release();
  };
  return {
    url,
    port,
    token,
    pageUrl: token === undefined ? `${url}/` : `${url}/#token=${token}`,
    close: ({ drainMs = 30_000 } = {}) => (closing ??= close(drainMs)),
    [Symbol.asyncDispose]() {
      return this.close();
    },
  };
}
