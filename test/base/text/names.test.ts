import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { hasBytes, nameOf, pathOf, shownName } from "../../../src/base/text/names.ts";
import { PYTHON } from "../../python.ts";

const GBK = [0xb9, 0xb7];
const NAMES: [string, number[], string][] = [
  ["text", [...Buffer.from("狗 🐶.jpg")], "狗 🐶.jpg"],
  ["GBK", [...GBK, ...Buffer.from(".jpg")], "\udcb9\udcb7.jpg"],
  ["a character that is cut short", [0x61, 0xe7, 0x8b, 0x62], "a\udce7\udc8bb"],
  ["text beside bytes", [...Buffer.from("狗"), 0xff], "狗\udcff"],
  ["an encoded surrogate, which is no UTF-8", [0xed, 0xb2, 0xb9], "\udced\udcb2\udcb9"],
  ["an overlong character", [0xc0, 0xaf], "\udcc0\udcaf"],
  ["nothing", [], ""],
];

describe("bytes of a name become it, and it becomes them:", () => {
  test.each(NAMES)("%s", (_, bytes, name) => {
    expect(nameOf(Uint8Array.from(bytes))).toBe(name);
    const path = pathOf(name);
    expect([...(typeof path === "string" ? Buffer.from(path) : path)]).toEqual(bytes);
    expect(typeof path === "string").toBe(!hasBytes(name));
  });

  test("as Python has it", () => {
    const script =
      "import json, os, sys; print(json.dumps([os.fsdecode(bytes(name)) for name in json.loads(sys.argv[1])]))";
    const bytes = NAMES.map(([, name]) => name);
    const { stdout } = spawnSync(PYTHON, ["-X", "utf8", "-c", script, JSON.stringify(bytes)], {
      encoding: "utf8",
    });
    expect(JSON.parse(stdout)).toEqual(NAMES.map(([, , name]) => name));
  });
});

test("a name is shown so that it can be read back", () => {
  expect(shownName("\udcb9\udcb7\\.jpg")).toBe(String.raw`\udcb9\udcb7\\.jpg`);
  expect(shownName(String.raw`a\b 狗 🐶.jpg`)).toBe(String.raw`a\b 狗 🐶.jpg`);
  expect(JSON.stringify("\udcb9")).toBe(String.raw`"\udcb9"`);
});
