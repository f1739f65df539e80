import { describe, expect, test } from "vitest";
import { checkAddressSpace, outOfMemory } from "../../src/base/memory.ts";
import { IsotorchError } from "../../src/base/errors.ts";

const MIB = 2 ** 20;
const proc =
  (limit: string, taken = 1024) =>
  (name: string): string =>
    name === "limits"
      ? `Max cpu time  unlimited  unlimited  seconds\nMax address space         ${limit}   unlimited  bytes\n`
      : `Name:\tnode\nVmSize:\t  ${taken * 1024} kB\n`;

describe("a limit on addresses", () => {
  test("stops a start that sharp or ZeroMQ would end the process over", () => {
    expect(() => checkAddressSpace(proc(`${2000 * MIB}`))).toThrow(/2000 MiB of addresses, and has 1024/);
  });

  test.each(["unlimited", `${12_000 * MIB}`])("of %s is none that matters", (limit) => {
    expect(() => checkAddressSpace(proc(limit))).not.toThrow();
  });

  test("is not asked where the system does not tell", () => {
    const nothing = (): never => {
      throw new Error("ENOENT");
    };
    expect(() => checkAddressSpace(nothing)).not.toThrow();
  });
});

describe("memory that was refused is OUT_OF_MEMORY:", () => {
  const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });
  test.each([
    new RangeError("WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance"),
    new RangeError("Array buffer allocation failed"),
    named("DataCloneError", "Data cannot be cloned, out of memory."),
    // From another thread: no longer a RangeError, and still called so.
    named("RangeError", "WebAssembly.Memory.grow(): Unable to grow instance memory"),
    Object.assign(new Error("Worker terminated"), { code: "ERR_WORKER_OUT_OF_MEMORY" }),
    Object.assign(new Error("spawn ENOMEM"), { code: "ENOMEM" }),
  ])("%s", (error) => {
    const found = outOfMemory(error);
    expect(found).toMatchObject({ code: "OUT_OF_MEMORY", cause: error });
    expect(found?.hint).toMatch(/ulimit -v/);
  });

  test.each([
    new RangeError("Invalid time value"),
    new TypeError("memory is not defined"),
    new IsotorchError("DECODE_FAILED", "It has no memory."),
    "out of memory",
  ])("and %s is not", (error) => {
    expect(outOfMemory(error)).toBeUndefined();
  });
});
