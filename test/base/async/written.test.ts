import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { lastOf, written } from "../../../src/base/async/written.ts";

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("what is written is read, in its order, before and after it is waited for", async () => {
  const items = written<number>(async (write) => {
    write(1);
    write(2);
    await turn();
    write(3);
  });
  expect(await all(items)).toEqual([1, 2, 3]);
});

test("an item may be undefined", async () => {
  const items = written<undefined>((write) => {
    write(undefined);
    return Promise.resolve();
  });
  expect(await all(items)).toEqual([undefined]);
});

test("it begins when the first item is asked for", async () => {
  let begun = false;
  const items = written<number>((write) => {
    begun = true;
    write(1);
    return Promise.resolve();
  });
  await turn();
  expect(begun).toBe(false);
  expect(await lastOf(items)).toBe(1);
});

test("a failure comes behind the items that were written before it, also one that is undefined", async () => {
  const failing = (failure: unknown) =>
    written<number>((write) => {
      write(1);
      return Promise.reject(failure);
    });
  const items = failing(new Error("broken"));
  expect(await items.next()).toEqual({ done: false, value: 1 });
  await expect(items.next()).rejects.toThrow("broken");
  await expect(all(failing(undefined))).rejects.toBeUndefined();
});

test("whoever stops reading aborts the work; whoever has read it all does not", async () => {
  const signals: AbortSignal[] = [];
  const endless = (): AsyncGenerator<number, void, undefined> =>
    written<number>((write, signal) => {
      signals.push(signal);
      write(1);
      return new Promise(() => undefined);
    });
  for await (const item of endless()) if (item === 1) break;
  const whole = written<number>((write, signal) => {
    signals.push(signal);
    write(1);
    return Promise.resolve();
  });
  await all(whole);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
});

test("the caller's signal aborts the work, with the caller's reason, also one that has fired before", async () => {
  const reason = new Error("no longer");
  const work = (write: (item: number) => void, signal: AbortSignal): Promise<void> =>
    new Promise((_, reject) => {
      const fail = (): void => reject(signal.reason as Error);
      if (signal.aborted) fail();
      signal.addEventListener("abort", fail);
      write(1);
    });
  const caller = new AbortController();
  const items = written(work, caller.signal);
  await items.next();
  caller.abort(reason);
  await expect(items.next()).rejects.toMatchObject({ code: "ABORTED" });
  await expect(all(written(work, AbortSignal.abort(reason)))).rejects.toMatchObject({ code: "ABORTED" });
});

test("an answer without parts is none", async () => {
  await expect(lastOf(written(() => Promise.resolve()))).rejects.toThrow("without parts");
});
