import { getEventListeners } from "node:events";
import { expect, test, vi } from "vitest";
import { onAborted } from "../../../src/base/async/aborts.ts";
import { withResolvers } from "../../../src/base/async/resolvers.ts";
import { withinDeadline } from "../../../src/base/time/deadline.ts";

const MANY = 40;

test("whoever listens is called once, in turn, and not after it has stopped listening", () => {
  const ender = new AbortController();
  const heard: string[] = [];
  onAborted(ender.signal, () => heard.push("first"));
  const forget = onAborted(ender.signal, () => heard.push("forgotten"));
  onAborted(ender.signal, () => {
    heard.push("second");
    forgetThird();
  });
  const forgetThird = onAborted(ender.signal, () => heard.push("third"));
  forget();
  forget();
  ender.abort();
  expect(heard).toEqual(["first", "second"]);
});

test("one function that listens twice is called twice", () => {
  const ender = new AbortController();
  const listener = vi.fn<() => void>();
  onAborted(ender.signal, listener);
  onAborted(ender.signal, listener);
  ender.abort();
  expect(listener).toHaveBeenCalledTimes(2);
});

test("who listens again after all had stopped is heard", () => {
  const ender = new AbortController();
  const listener = vi.fn<() => void>();
  const forget = onAborted(ender.signal, listener);
  forget();
  expect(listeners(ender.signal)).toBe(0);
  onAborted(ender.signal, listener);
  forget();
  ender.abort();
  expect(listener).toHaveBeenCalledTimes(1);
});

test("many calls with one signal have one listener on it, and none afterwards", async () => {
  const ender = new AbortController();
  const finished = withResolvers<void>();
  const calls = open(ender.signal, () => finished.promise);
  expect(listeners(ender.signal)).toBe(1);
  finished.resolve();
  await Promise.all(calls);
  expect(listeners(ender.signal)).toBe(0);
});

test("one signal ends many calls", async () => {
  const ender = new AbortController();
  const calls = open(ender.signal, () => new Promise(() => undefined));
  const settled = Promise.allSettled(calls);
  ender.abort();
  for (const one of await settled) expect(one).toMatchObject({ reason: { code: "ABORTED" } });
  expect(listeners(ender.signal)).toBe(0);
});

function open<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>[] {
  return Array.from({ length: MANY }, () => withinDeadline({ signal, timeoutMs: 60_000 }, work));
}

function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}
