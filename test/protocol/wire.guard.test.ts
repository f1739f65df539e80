import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { addressOf, decode } from "../../src/protocol/wire.ts";

const packr = new Packr({ useRecords: false, variableMapSize: true });
/** Version 2, generation 1, id 7. */
const ADDRESS = Buffer.from([0x69, 0x73, 0x6f, 2, 0, 0, 0, 1, 0, 0, 0, 7]);

function hello(executableBytes: number): Uint8Array {
  const map = packr.pack({
    type: "hello",
    package: "0",
    proof: "0".repeat(64),
    pid: 1,
    python: "p".repeat(2_000),
    executable: "e".repeat(executableBytes),
  });
  return Buffer.concat([ADDRESS, map]);
}

test("a header of more than 4,096 bytes is refused, though each of its values is allowed", () => {
  expect(decode([hello(1_830)]).type).toBe("hello");
  expect(() => decode([hello(2_000)])).toThrow(/a header of 4\d\d\d bytes/);
});

test("whose a message is can be read whatever stands behind its address", () => {
  const broken = Buffer.concat([ADDRESS, Buffer.from([0xc1])]);
  expect(addressOf([broken])).toEqual({ generation: 1, id: 7 });
  expect(() => decode([broken])).toThrow("not plain msgpack");
  expect(addressOf([])).toBeUndefined();
  expect(addressOf([ADDRESS.subarray(0, 11)])).toBeUndefined();
});

test.each([
  [1, packr.pack({ v: 1, type: "ping", id: 7, generation: 1 })],
  [3, Buffer.concat([ADDRESS.subarray(0, 3), Buffer.from([3]), ADDRESS.subarray(4)])],
])("protocol version %i is refused by name", (version, header) => {
  expect(() => decode([header])).toThrow(`the worker speaks ${version}, this controller speaks 2`);
});

describe("extension bytes are refused before a decoder makes anything of them:", () => {
  const pong = (residentKiB: number[]): Uint8Array =>
    Buffer.concat([
      ADDRESS,
      Buffer.from([0x82, 0xa4]),
      Buffer.from("type"),
      Buffer.from([0xa4]),
      Buffer.from("pong"),
      Buffer.from([0xab]),
      Buffer.from("residentKiB"),
      Buffer.from(residentKiB),
    ]);

  test("a plain header of this form is a pong", () => {
    expect(decode([pong([0x07])])).toMatchObject({ type: "pong", id: 7, fields: { residentKiB: 7 } });
  });

  test.each([
    ["a timestamp", [0xd6, 0xff, 0, 0, 0, 1]],
    ["a record definition", [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x78, 0x07]],
    ["binary data", [0xc4, 0x01, 0x07]],
    ["an extension of type 1", [0xd4, 0x01, 0x07]],
  ])("%s", (_, residentKiB) => {
    expect(() => decode([pong(residentKiB)])).toThrow("a header that is not plain msgpack");
  });
});
