import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { decode } from "../../src/worker/wire.ts";

const packr = new Packr({ useRecords: false, variableMapSize: true });

function hello(executableBytes: number): Uint8Array {
  return packr.pack({
    v: 1,
    type: "hello",
    id: 0,
    generation: 1,
    protocol: 1,
    package: "0",
    proof: "0".repeat(64),
    pid: 1,
    python: "p".repeat(2_000),
    executable: "e".repeat(executableBytes),
  });
}

test("a header of more than 4,096 bytes is refused, though each of its values is allowed", () => {
  expect(decode([hello(1_800)]).type).toBe("hello");
  expect(() => decode([hello(2_000)])).toThrow(/a header of 4\d\d\d bytes/);
});

describe("extension bytes are refused before a decoder makes anything of them:", () => {
  const ping = (id: number[]): Uint8Array =>
    Buffer.concat([
      Buffer.from([0x84, 0xa1, 0x76, 0x01, 0xa4]),
      Buffer.from("type"),
      Buffer.from([0xa4]),
      Buffer.from("ping"),
      Buffer.from([0xaa]),
      Buffer.from("generation"),
      Buffer.from([0x01, 0xa2]),
      Buffer.from("id"),
      Buffer.from(id),
    ]);

  test("a plain header of this form is a ping", () => {
    expect(decode([ping([0x07])])).toMatchObject({ type: "ping", id: 7 });
  });

  test.each([
    ["a timestamp", [0xd6, 0xff, 0, 0, 0, 1]],
    ["a record definition", [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x78, 0x07]],
    ["binary data", [0xc4, 0x01, 0x07]],
    ["an extension of type 1", [0xd4, 0x01, 0x07]],
  ])("%s", (_, id) => {
    expect(() => decode([ping(id)])).toThrow("a header that is not plain msgpack");
  });
});
