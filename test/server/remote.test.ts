/** A server in front of other servers tells no more of the network than those say. */
import { expect, test } from "vitest";
import { NETWORK, TRITON, fakeServer, remote } from "../remote/fake.ts";
import type { FakeServerOptions } from "../remote/fake.ts";
import { JPEG, errorOf, picture, send, serve } from "./serve.ts";

async function before(others: FakeServerOptions) {
  return serve({ classifier: await remote(await fakeServer(others)), compare: true });
}

async function infoLine(server: Parameters<typeof send>[0]): Promise<string> {
  const { body } = await send(server, "/metrics");
  return /^isotorch_info\{.*$/m.exec(body.toString())?.[0] ?? "";
}

test("of others, which say nothing: what is not known is absent from /status and empty in /metrics", async () => {
  const server = await before({ name: "triton", model: TRITON });
  expect((await picture(server)).status).toBe(200);
  const { json } = await send(server, "/status");
  expect(json["network"]).toStrictEqual({ trained: null, versions: {}, resize: 256, crop: 224 });
  expect(await infoLine(server)).toMatch(/weights="",device="",precision="",torch=""/);
});

test("of ours: what they say is handed on, as they say it", async () => {
  const server = await before({});
  const { json } = await send(server, "/status");
  expect(json["network"]).toStrictEqual(NETWORK);
  expect(await infoLine(server)).toMatch(/weights="a\.pth",device="cpu",precision="exact",torch="0"/);
});

test("there is no plain PyTorch beside them", async () => {
  const server = await before({});
  const reply = await send(server, "/compare", { body: JPEG, headers: { "content-type": "image/jpeg" } });
  expect((await send(server, "/status")).json["compare"]).toBe(false);
  expect([reply.status, errorOf(reply).code]).toEqual([501, "NOT_IMPLEMENTED"]);
});
