import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { printedRecord, recordIn } from "../../src/python/answer.ts";
import { runCommand } from "../../src/python/command.ts";
import { findEnvironment } from "../../src/python/environment.ts";
import { makeUntrained } from "../../src/checkpoints/make.ts";
import { memoryFile } from "../../src/python/remembered.ts";
import { scriptArguments, WORKER_SCRIPT } from "../../src/python/script.ts";
import { testMachine, type TestMachine } from "../fixtures/environments/machine.ts";
import { PYTHON } from "../python.ts";

/** `张` as the code page 936 has it. */
const GBK = Buffer.from([0xd5, 0xc5]);
const VERSIONS =
  '"versions":{"torch":"1.13.1","torchvision":"0.14.1","PIL":"9.5.0","zmq":"25","msgpack":"1","numpy":"1.23.5"}';

describe("what a program printed", () => {
  test("is the last line that is an object, whatever stands around it", () => {
    const noisy = Buffer.concat([GBK, Buffer.from('\r\nhello {x}\n{"a":1}\n{"b":"狗"}\r\nbye\n\n')]);
    expect(printedRecord(noisy)).toEqual({ record: { b: "狗" } });
  });

  test.each([
    ["nothing", "", "no JSON"],
    ["words", "hello", "no JSON"],
    ["half an object", '{"a":', "not JSON"],
    ["another code page", Buffer.concat([Buffer.from('{"a":"'), GBK, Buffer.from('"}')]), "not UTF-8"],
  ])("is no answer where it is %s", (_what, printed, reason) => {
    const answer = printedRecord(Buffer.from(printed));
    expect(answer).toEqual({ record: undefined, broken: expect.stringContaining(reason) });
  });

  test("is no answer where the line is a list", () => {
    expect(recordIn(Buffer.from("[1]"))).toMatchObject({ broken: expect.stringContaining("no JSON object") });
  });
});

/** A Python that prints these bytes when it is asked, and notes how it was called. */
async function printing(machine: TestMachine, printed: Uint8Array): Promise<string> {
  const python = join(machine.root, "here/bin/python");
  await mkdir(join(machine.root, "here/bin"), { recursive: true });
  await writeFile(`${python}.out`, printed);
  await writeFile(
    python,
    '#!/bin/sh\ncase "$*" in *version_info*) echo 3.11.2; exit ;; esac\necho "$*" >>"$0.runs"\ncat "$0.out"\n',
  );
  await chmod(python, 0o755);
  return python;
}

describe.skipIf(process.platform === "win32")("a Python whose answer is broken", () => {
  test.each([
    [
      "is in another code page",
      (prefix: string) => [`"${prefix}/`, GBK, '"'],
      "what it printed is not UTF-8",
    ],
    ["is cut", () => ['"'], "what it printed is not JSON"],
    [
      "names a place that is not there",
      (prefix: string) => [`"${prefix}/gone"`],
      'gone", which does not exist',
    ],
  ])("is refused with the reason, and asked again, where it %s", async (_how, prefixOf, reason) => {
    await using machine = await testMachine();
    const here = join(machine.root, "here");
    const parts = [
      '{"python":"3.11.2","executable":"","missing":[],"watch":["',
      here,
      `"],${VERSIONS},"prefix":`,
    ];
    const printed = [...parts, ...prefixOf(here), "}"].map((part) => Buffer.from(part));
    const python = await printing(machine, Buffer.concat(printed));
    for (let turn = 0; turn < 2; turn += 1) {
      await expect(findEnvironment({ python, at: machine.at })).rejects.toMatchObject({
        code: "ENVIRONMENT_BROKEN",
        message: expect.stringContaining(reason),
      });
    }
    expect((await readFile(`${python}.runs`, "utf8")).trim().split("\n")).toHaveLength(2);
    expect(await readFile(memoryFile(machine.at), "utf8").catch(() => "")).not.toContain(python);
  });

  test("makes no checkpoint, and says what it printed instead", async () => {
    await using machine = await testMachine();
    const python = await printing(machine, Buffer.from("all is well\n"));
    const environment = { python, variables: {} } as Parameters<typeof makeUntrained>[0];
    await expect(makeUntrained(environment, 0, join(machine.root, "x.pth"))).rejects.toMatchObject({
      code: "ENVIRONMENT_BROKEN",
      message: expect.stringContaining("it printed no JSON"),
    });
  });
});

describe.skipIf(process.platform === "win32")("Python", () => {
  test("is started in its UTF-8 mode", async () => {
    await using machine = await testMachine();
    const python = await printing(machine, Buffer.from("{}"));
    await findEnvironment({ python, at: machine.at }).catch(() => undefined);
    expect(await readFile(`${python}.runs`, "utf8")).toBe(`-I -X utf8 -u ${WORKER_SCRIPT} probe\n`);
  });

  test("answers in ASCII alone, whatever a path is called", async () => {
    const env = { PATH: process.env["PATH"], HOME: "/没有/张三" };
    const { bytes, stdout } = await runCommand(PYTHON, scriptArguments(WORKER_SCRIPT, "probe"), { env });
    expect(stdout).toMatch(/^[\x20-\x7e\n]+$/);
    expect(printedRecord(bytes).record).toMatchObject({
      userSite: { path: expect.stringContaining("/没有/张三") },
    });
  });
});
