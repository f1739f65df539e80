/** Which `Host` headers are answered, and which patterns are refused because they could do nothing. */
import { describe, expect, test } from "vitest";
import { resolveServerOptions } from "../../src/server/options.ts";
import type { ServerOptions } from "../../src/server/options.ts";
import { checkedHosts, hostCheck } from "../../src/server/security/hosts.ts";

const check = (allowed: string[], { host = "0.0.0.0", port = 8_000, hasToken = true } = {}) =>
  checkedHosts(allowed, { host, port, hasToken });

describe("a pattern answers", () => {
  test.each([
    [
      "gpu.lan:9000",
      ["gpu.lan:9000", "GPU.LAN:9000", "gpu.lan.:9000"],
      ["gpu.lan", "gpu.lan:9001", "x.gpu.lan:9000"],
    ],
    [
      "gpu.lan",
      ["gpu.lan", "gpu.lan:1", "gpu.lan:65535"],
      ["gpu.lan:0", "gpu.lan:65536", "gpu.lan:x", "xgpu.lan"],
    ],
    ["gpu.lan:80", ["gpu.lan", "gpu.lan:80"], ["gpu.lan:8000"]],
    [
      "*.svc.cluster.local",
      ["isotorch.default.svc.cluster.local:18431", "a.svc.cluster.local"],
      ["svc.cluster.local", ".svc.cluster.local", "xsvc.cluster.local", "a.svc.cluster.local.evil.example"],
    ],
    ["*.lan:9000", ["a.lan:9000"], ["a.lan", "a.lan:9001"]],
    [
      "10.*",
      ["10.244.0.5:18431", "10.0.0.1"],
      ["10.evil.example", "110.0.0.1", "10.1.1", "10", "10.1.1.256"],
    ],
    ["192.168.7.*:9000", ["192.168.7.1:9000"], ["192.168.7.1", "192.168.70.1:9000"]],
    ["[fd00::7]:9000", ["[fd00::7]:9000"], ["[fd00::8]:9000", "fd00::7:9000"]],
    ["[fd00:*]", ["[fd00::7]", "[fd00:1::2]:9000"], ["[fd01::7]", "[fd00:evil]"]],
    ["*", ["anything.example:1", "10.1.1.1"], ["", "a:b:c"]],
  ])("%s", (pattern, yes, no) => {
    const isAllowed = hostCheck(8_000, "0.0.0.0", check([pattern]));
    for (const host of yes) expect([host, isAllowed(host)]).toEqual([host, true]);
    for (const host of no) expect([host, isAllowed(host)]).toEqual([host, false]);
  });
});

test("without a pattern only the loopback's names and the server's own are answered, with their port", () => {
  const isAllowed = hostCheck(8_000, "gpu.lan", []);
  for (const host of ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000", "gpu.lan:8000"])
    expect([host, isAllowed(host)]).toEqual([host, true]);
  for (const host of ["", "127.0.0.1", "localhost:8001", "gpu.lan", "evil.example:8000"])
    expect([host, isAllowed(host)]).toEqual([host, false]);
  expect(hostCheck(80, "127.0.0.1", [])("localhost")).toBe(true);
});

test.each([
  ["", /is no host/],
  ["http://gpu.lan", /is no host/],
  ["gpu.lan/", /is no host/],
  ["gpu.lan:", /is no host/],
  ["gpu.lan:0", /is no host/],
  ["gpu.lan:65536", /is no host/],
  ["gpu lan", /is no host/],
  ["gpu.*.lan", /is no host/],
  ["gpu*", /is no host/],
  ["*gpu", /is no host/],
  ["**", /is no host/],
  ["*.*", /is no host/],
  ["10.300.*", /is no host/],
  ["1.2.3.4.*", /is no host/],
  ["gpu.lan.*", /is no host/],
  ["fd00::1", /is no host/],
  ["[fd00::x]", /is no host/],
  ["münchen.example", /is no host/],
  ["127.0.0.1:8000", /answers to it anyway/],
  ["localhost:8000", /answers to it anyway/],
])("the allowed host %j is refused: it could do nothing", (given, why) => {
  expect(() => check([given])).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  expect(() => check([given])).toThrow(why);
});

test("one that another one covers is refused, whichever comes first", () => {
  for (const pair of [
    ["gpu.lan", "gpu.lan"],
    ["gpu.lan", "gpu.lan:9000"],
    ["10.*", "10.1.*"],
    ["10.*", "10.1.2.3:80"],
    ["*.lan", "*.gpu.lan"],
    ["*", "gpu.lan"],
  ]) {
    for (const hosts of [pair, pair.toReversed()]) expect(() => check(hosts)).toThrow(/is allowed already/);
  }
  expect(check(["10.1.*", "10.2.*", "gpu.lan:1", "gpu.lan:2"])).toHaveLength(4);
});

test("everybody's name needs a token", () => {
  expect(check(["*"])).toEqual(["*"]);
  for (const all of ["*", "*:8000"]) expect(() => check([all], { hasToken: false })).toThrow(/no token/);
});

test.each(["gpu.lan", [7]])("%j, which is no list of names, is refused", (given) => {
  const options = { classifier: {}, allowHosts: given } as unknown as ServerOptions;
  expect(() => resolveServerOptions(options)).toThrow(
    expect.objectContaining({
      code: "INVALID_OPTION",
      message: expect.stringContaining("expected a list of host names") as string,
    }),
  );
});
