/** A server in front of a fake classifier, and requests that a test spells out to the last header. */
import { readFileSync } from "node:fs";
import { request } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { afterAll, afterEach } from "vitest";
import { createServer } from "../../src/server.ts";
import type { Server, ServerOptions } from "../../src/server.ts";
import { createFakeClassifier } from "../../src/testing.ts";
import type { FakeAnswer, FakeOptions } from "../../src/testing.ts";
import type { Classifier, ImageInput } from "../../src/index.ts";

/** The compiled decoder: processes cannot run TypeScript. `pretest` builds it. */
export const DECODER: URL = new URL("../../dist/image/process/child.js", import.meta.url);

export const JPEG: Buffer = readFileSync(new URL("../../examples/images/balloons.jpg", import.meta.url));
export const TOKEN = "a-token-of-the-tests";

const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of opened.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
});

/** Closes a resource after the test. */
export function closing<T extends AsyncDisposable>(resource: T): T {
  opened.push(resource);
  return resource;
}

/** A thousand classes that depend on the first value of the tensor: answers cannot be mixed up unnoticed. */
export function answerOf(image: ImageInput): FakeAnswer {
  const seed = typeof image === "object" && "shape" in image ? image.data[0]! : 0;
  const logits = Float32Array.from({ length: 1_000 }, (_, at) => Math.sin(at * 12.9898 + seed) * 9);
  const exps = logits.map(Math.exp);
  const sum = exps.reduce((total, value) => total + value, 0);
  const probabilities = exps.map((value) => value / sum);
  const top = [...probabilities].map((score, index) => ({ index, score, label: `class ${index}` }));
  return { top, logits, probabilities, timings: { worker: 3, forward: 2 } };
}

/** A fake classifier with those answers; it looks at what it gets as the real one does. */
export function fake(options: FakeOptions = {}): Promise<Classifier> {
  return createFakeClassifier(answerOf, { readImages: true, ...options });
}

/** A fake classifier that answers nothing before it is let go; closed after the test. */
export async function gated(): Promise<{ classifier: Classifier; letGo: () => void }> {
  let letGo = (): void => undefined;
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  const classifier = await createFakeClassifier((image) => gate.then(() => answerOf(image)), {
    readImages: true,
  });
  return { classifier: closing(classifier), letGo };
}

/** A server on a free port, closed after the test. */
export async function serve(options: Partial<ServerOptions> = {}): Promise<Server> {
  const classifier = options.classifier ?? closing(await fake());
  const decoder = { script: DECODER, processes: 1, ...options.decoder };
  return closing(await createServer({ token: TOKEN, port: 0, ...options, classifier, decoder }));
}

const common = { server: undefined as Promise<Server> | undefined };
afterAll(async () => {
  await (await common.server)?.close();
});

/** A server that all tests of a file share which only look at its answers. */
export function shared(): Promise<Server> {
  common.server ??= fake().then((classifier) =>
    createServer({ token: TOKEN, port: 0, classifier, decoder: { script: DECODER, processes: 1 } }),
  );
  return common.server;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body as JSON; empty where it is none. */
  readonly json: Record<string, unknown>;
}

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Without the token. @default false */
  readonly anonymous?: boolean;
  readonly signal?: AbortSignal;
}

/** One request. `fetch` would not let a test choose `Host` or leave the content type out. */
export function send({ port }: Server, path: string, sent: Sent = {}): Promise<Reply> {
  const { method = sent.body === undefined ? "GET" : "POST", body, anonymous = false, signal } = sent;
  const headers = { ...(!anonymous && { authorization: `Bearer ${TOKEN}` }), ...sent.headers };
  return new Promise((resolve, reject) => {
    const options = {
      host: "127.0.0.1",
      port,
      path,
      method,
      headers,
      agent: false,
      ...(signal && { signal }),
    };
    const outgoing = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const whole = Buffer.concat(chunks);
        const isJson = response.headers["content-type"]?.startsWith("application/json") === true;
        const json = isJson ? (JSON.parse(whole.toString()) as Record<string, unknown>) : {};
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: whole, json });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** A picture to `/classify`. */
export function picture(server: Server, sent: Sent & { readonly query?: string } = {}): Promise<Reply> {
  const { query = "", ...rest } = sent;
  return send(server, `/classify${query}`, {
    body: JPEG,
    ...rest,
    headers: { "content-type": "image/jpeg", ...rest.headers },
  });
}

/** The error that a reply tells, whichever shape it has. */
export function errorOf({ json }: Reply): {
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
} {
  const error = json["error"];
  return typeof error === "string" ? { ...json, message: error } : { ...(error as object) };
}
