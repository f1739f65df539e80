import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Counter, Histogram } from "../../src/server/metrics/registry.ts";
import { picture, send, serve } from "./serve.ts";

const DOCS = readFileSync(new URL("../../docs/server.md", import.meta.url), "utf8");

test("requests, pictures, stages, queue, worker, decoders and the event loop are measured", async () => {
  const server = await serve();
  await picture(server);
  await picture(server, { body: "text" });
  await send(server, "/nowhere/at/all");
  const { body, headers } = await send(server, "/metrics");
  const text = body.toString();
  expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  for (const line of [
    'isotorch_http_requests_total{route="/classify",method="POST",status="200"} 1',
    'isotorch_http_requests_total{route="/classify",method="POST",status="415"} 1',
    'isotorch_http_requests_total{route="unmatched",method="GET",status="404"} 1',
    'isotorch_http_request_seconds_count{route="/classify"} 2',
    'isotorch_pictures_total{outcome="ok"} 1',
    'isotorch_pictures_total{outcome="UNSUPPORTED_FORMAT"} 1',
    'isotorch_stage_seconds_count{stage="decode"} 1',
    'isotorch_stage_seconds_count{stage="forward"} 1',
    "isotorch_worker_ready 1",
    'isotorch_worker_phase{phase="ready"} 1',
    "isotorch_worker_restarts_total 0",
    'isotorch_worker_calls_total{event="succeeded"} 1',
    "isotorch_queue_waiting 0",
    'isotorch_decoder_restarts_total{reason="timeout"} 0',
  ]) {
    expect(text.split("\n")).toContain(line);
  }
  expect(text).toMatch(/isotorch_event_loop_lag_seconds\{quantile="0.99"\} 0\.?\d*/);
});

test("every family has its help and type, and is in the documentation", async () => {
  const { body } = await send(await serve(), "/metrics");
  const text = body.toString();
  const names = [...text.matchAll(/^# TYPE (\S+) (?:counter|gauge|histogram)$/gm)].map(
    ([, name = ""]) => name,
  );
  expect(names.length).toBeGreaterThan(20);
  for (const name of names) {
    expect(text).toContain(`# HELP ${name} `);
    expect(DOCS).toContain(`\`${name}\``);
  }
  for (const line of text.trimEnd().split("\n"))
    expect(line).toMatch(/^(?:# (?:HELP|TYPE) .+|[a-z_]+(?:\{[^}]*\})? -?[\d.e+-]+)$/);
});

test("labels are escaped, buckets add up", () => {
  const counter = new Counter("a_total", "help");
  counter.add({ name: 'q"\\\n' });
  counter.add({ name: 'q"\\\n' }, 2);
  expect(counter.render()).toBe(
    '# HELP a_total help\n# TYPE a_total counter\na_total{name="q\\"\\\\\\n"} 3\n',
  );
  const histogram = new Histogram("b", "help", [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe({ x: "y" }, value);
  expect(histogram.render().split("\n").slice(2, -1)).toEqual([
    'b_bucket{x="y",le="0.1"} 2',
    'b_bucket{x="y",le="1"} 3',
    'b_bucket{x="y",le="+Inf"} 4',
    'b_sum{x="y"} 7.65',
    'b_count{x="y"} 4',
  ]);
});
