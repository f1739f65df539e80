/** Ray Serve on a cluster of two nodes: parity, one replica and two, a replica killed, a node removed. `npm run test:ray`. */
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClassifier } from "../../src/classification/classifier.ts";
import type { Classifier } from "../../src/classification/classifier.ts";
import type { Tensor } from "../../src/index.ts";
import { UNTRAINED } from "../checkpoint.ts";
import { PICTURES, classifySuite } from "../kinds/suite.ts";
import { PORT, RayCluster } from "./cluster.ts";
import type { ClusterState } from "./cluster.ts";

const python = process.env["ISOTORCH_RAY_PYTHON"] ?? "";
let cluster: RayCluster;
let first: ClusterState;
let ray: Classifier;
/** Tensors with the best class that the local worker gives each: every call has an answer of its own. */
let calls: { readonly tensor: Tensor; readonly logits: string }[];

beforeAll(async () => {
  // The worker first, and closed: three networks at once are too many for a small machine.
  await using local = await createClassifier({ ...UNTRAINED, model: "resnet101" });
  const base = await local.preprocess(PICTURES[0] ?? "");
  calls = [];
  for (let at = 0; at < 12; at += 1) {
    const tensor = { shape: base.shape, data: base.data.map((value) => value * (1 - at / 20)) };
    calls.push({
      tensor,
      logits: hex((await local.classifyDetailed(tensor, { include: { logits: true } })).logits),
    });
  }
  ({ cluster, state: first } = await RayCluster.start(python));
  ray = await createClassifier({ remote: { url: `http://127.0.0.1:${PORT}`, connections: 4 } });
}, 300_000);
afterAll(async () => {
  await ray?.close();
  await cluster?.close();
}, 120_000);

function hex(values: Float32Array | undefined): string {
  if (values === undefined) throw new Error("no logits");
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("hex");
}

interface Outcome {
  readonly seconds: number;
  readonly wrong: number;
  readonly failed: readonly string[];
}

/** `count` calls; each is answered once, with the bits that the local worker gave its own tensor. */
async function load(count: number, during: (at: number) => void = () => undefined): Promise<Outcome> {
  const images = (function* (): Generator<Tensor> {
    for (let at = 0; at < count; at += 1) {
      during(at);
      yield calls[at % calls.length]!.tensor;
    }
  })();
  let [at, wrong] = [0, 0];
  const failed: string[] = [];
  const started = performance.now();
  for await (const result of ray.classifyStream(images, { include: { logits: true }, timeoutMs: 120_000 })) {
    if (result.status === "rejected") failed.push(String(result.reason));
    else if (hex(result.value.logits) !== calls[at % calls.length]!.logits) wrong += 1;
    at += 1;
  }
  expect(at).toBe(count);
  return { seconds: (performance.now() - started) / 1_000, wrong, failed };
}

test("two nodes, one replica", () => {
  expect(first.nodes).toBe(2);
  expect(first.replicas).toHaveLength(1);
});

classifySuite("Ray Serve", () => ray, "resnet101");

test("requests and traces are known by their ids, and measured under the names of isotorch serve", async () => {
  const [traceId, parentId] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
  const response = await fetch(`http://127.0.0.1:${PORT}/v2/models/resnet101`, {
    headers: { "x-request-id": "the-request", traceparent: `00-${traceId}-${parentId}-01` },
  });
  expect(response.headers.get("x-request-id")).toBe("the-request");
  expect(response.headers.get("traceparent")).toMatch(
    new RegExp(`^00-${traceId}-(?!${parentId})\\w{16}-01$`),
  );
  expect((await fetch(`http://127.0.0.1:${PORT}/nowhere`)).status).toBe(404);

  const lines = async (): Promise<readonly string[]> =>
    (await cluster.ask<{ lines: readonly string[] }>("metrics")).lines;
  const infer = "/v2/models/resnet101/infer";
  // The agents collect every ten seconds.
  await expect
    .poll(lines, { timeout: 60_000, interval: 2_000 })
    .toEqual(
      expect.arrayContaining([
        expect.stringMatching(sample("http_requests_total", { method: "POST", route: infer, status: "200" })),
        expect.stringMatching(
          sample("http_requests_total", { method: "GET", route: "unmatched", status: "404" }),
        ),
        expect.stringMatching(sample("http_request_seconds_count", { route: infer })),
        expect.stringMatching(sample("pictures_total", { outcome: "ok" })),
        expect.stringMatching(sample("stage_seconds_count", { stage: "forward" })),
      ]),
    );
  // A replica that is not asked for ten seconds asks itself; nobody's pictures are counted for it.
  await setTimeout(20_000);
  const told = await lines();
  const sum = (line: RegExp): number =>
    told.filter((one) => line.test(one)).reduce((total, one) => total + Number(one.split(" ").at(-1)), 0);
  expect(sum(sample("stage_seconds_count", { stage: "forward" }))).toBe(
    sum(sample("pictures_total", { outcome: "ok" })),
  );
}, 120_000);

/** A line of Prometheus' text with these labels among others, and a value that is not zero. */
function sample(name: string, labels: Readonly<Record<string, string>>): RegExp {
  const all = Object.entries(labels).map(([label, value]) => `(?=.*[{,]${label}="${value}")`);
  return new RegExp(`^ray_isotorch_${name}\\{${all.join("")}.*\\} [1-9]`);
}

test("throughput of one replica and of two, every answer with the local worker's bits", async () => {
  const one = await load(48);
  const { replicas, nodes } = await cluster.ask("scale 2");
  expect(nodes).toBe(2);
  expect(new Set(replicas.map(({ node }) => node)).size).toBe(2);
  const two = await load(48);
  for (const { wrong, failed } of [one, two]) expect({ wrong, failed }).toEqual({ wrong: 0, failed: [] });
  console.log(
    `pictures per second: ${(48 / one.seconds).toFixed(2)} with one replica, ${(48 / two.seconds).toFixed(2)} with two`,
  );
}, 400_000);

test("a replica that is killed under load costs no call, and none is answered twice", async () => {
  const before = ray.stats();
  let killed: object | undefined;
  const { wrong, failed } = await load(60, (at) => {
    if (at === 20) void cluster.ask("kill").then((told) => (killed = told));
  });
  // It has happened while calls were on their way, not behind them.
  expect(killed).toHaveProperty("killed");
  expect({ wrong, failed }).toEqual({ wrong: 0, failed: [] });
  const after = ray.stats();
  expect(after.succeeded - before.succeeded).toBe(60);
  // Every request that was sent is one of the 60, or a retry of one.
  expect(after.batches - before.batches).toBe(60 + after.redelivered - before.redelivered);
  console.log(`retries after the kill: ${after.redelivered - before.redelivered}`);
}, 400_000);

test("a node that is removed under load costs no call, and none is answered twice", async () => {
  await expect
    .poll(async () => (await cluster.ask("state")).replicas.length, { timeout: 90_000, interval: 1_000 })
    .toBe(2);
  const before = ray.stats();
  let removed: object | undefined;
  const { wrong, failed } = await load(60, (at) => {
    if (at === 20) void cluster.ask("remove").then((told) => (removed = told));
  });
  expect(removed).toEqual({ removed: true });
  expect({ wrong, failed }).toEqual({ wrong: 0, failed: [] });
  expect((await cluster.ask("state")).nodes).toBe(1);
  const after = ray.stats();
  expect(after.succeeded - before.succeeded).toBe(60);
  // Every request that was sent is one of the 60, or a retry of one.
  expect(after.batches - before.batches).toBe(60 + after.redelivered - before.redelivered);
  console.log(`retries after the removal: ${after.redelivered - before.redelivered}`);
}, 400_000);
