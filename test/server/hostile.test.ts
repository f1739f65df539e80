/** The hostile requests of `npm run bench:server -- hostile`: each is refused or left, and the server goes on. */
import { expect, test } from "vitest";
import { TOKEN, picture, send, serve } from "./serve.ts";

interface Kind {
  readonly name: string;
  readonly send: (target: { readonly port: number; readonly token: string }) => Promise<string>;
  /** What may become of it. */
  readonly expected: readonly string[];
}

const bench = new URL("../../bench/lib/hostile/kinds.mjs", import.meta.url).href;
const { kinds } = (await import(bench)) as { readonly kinds: (sizes: object) => Kind[] };
const small = { jsonBytes: 1_000_000, scanCount: 300, pieces: 20_000, height: 200_000, holdMs: 300 };

test.each(kinds(small))("$name", async ({ send: attack, expected }) => {
  // A busy machine reads slowly: only those that may leave the server waiting meet a short limit.
  const waits = expected.includes("no answer");
  const server = await serve({ limits: waits ? { headersMs: 200, requestMs: 400 } : {} });
  const outcome = await attack({ port: server.port, token: TOKEN });
  expect(expected).toContain(outcome);
  expect((await send(server, "/v2/health/live", { anonymous: true })).status).toBe(200);
  expect((await picture(server)).status).toBe(200);
});
