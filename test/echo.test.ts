/** Whatever repeats what it was given: in short, in its own case, and with nothing that a terminal obeys. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, test } from "vitest";
import { table } from "../src/cli/job/answers.ts";
import { listed } from "../src/cli/lists/list.ts";
import { classify, createClassifier, IsotorchError, preprocess } from "../src/index.ts";
import { readLabels } from "../src/classification/labels/labels.ts";
import { errorOf } from "../src/worker/failure.ts";
import { isotorch } from "./cli/printed.ts";

const folder = mkdtempSync(join(tmpdir(), "isotorch-echo-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Of a title, a cleared screen, a turned direction, a C1 control and a new line. */
const ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e\u009b\n";
const LONG = `nope ${ESCAPES}${"q".repeat(2 ** 20)}`;
/** As long as an argument of a program can be, on Linux. */
const ARGUMENT = LONG.slice(0, 100_000);

// oxlint-disable-next-line no-control-regex -- it is what is looked for
const OBEYED = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

function expectHarmless(text: string): void {
  expect(text).not.toMatch(OBEYED);
  expect(text).not.toMatch(/q{201}/);
  expect(text).not.toMatch(/Nope/);
  // A line of what was given would look like one of ours.
  expect(text.length).toBeLessThan(1_200);
}

async function failureOf(call: () => unknown): Promise<IsotorchError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof IsotorchError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

function harmless(error: IsotorchError): void {
  for (const text of [error.message, error.hint, JSON.parse(JSON.stringify(error.message)) as string])
    expectHarmless(text);
  expect(error.message).not.toContain("\n");
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what JavaScript callers may hand over
const any = (value: unknown): never => value as never;

const CALLS: Readonly<Record<string, () => unknown>> = {
  "a path": () => preprocess(LONG),
  "a path that is short": () => preprocess(`nope ${ESCAPES}`),
  "a path below a file": () => preprocess(`/dev/null/${ESCAPES}`),
  "a URL": () => preprocess(`http://127.0.0.1:1/${LONG}`),
  "a URL that is none": () => preprocess(`http://[${LONG}`),
  "a URL of another kind": () => preprocess(`s3://${LONG}`),
  "a URL that is an object": () => preprocess(new URL(`ftp://host/${LONG}`)),
  "a file: URL": () => preprocess(`file://${"q".repeat(3_000)}.example/x`),
  "a data: URL": () => preprocess(`data:image/png;base64,~${LONG}`),
  base64: () =>
    preprocess(
      Buffer.alloc(2 ** 20, "ÿØÿ", "latin1")
        .toString("base64")
        .replaceAll("A", "q"),
    ),
  "a class": () => preprocess(any({ constructor: { name: LONG } })),
  "a shape": () => preprocess({ data: new Float32Array(3), shape: Array.from({ length: 100_000 }, () => 7) }),
  "a width": () => preprocess(any({ data: new Uint8Array(3), width: LONG, height: 1, channels: 3 })),
  channels: () => preprocess(any({ data: new Uint8Array(3), width: 1, height: 1, channels: LONG })),
  "a response": () =>
    preprocess(
      any({ bodyUsed: false, ok: false, status: 500, statusText: LONG, arrayBuffer: () => undefined }),
    ),
  "an option's name": () => classify("a.jpg", any({ [LONG]: 1 })),
  "an option's value": () => classify("a.jpg", any({ topK: LONG })),
  "an option that is a text": () => createClassifier({ model: any(LONG) }),
  weights: () => createClassifier({ weights: LONG, trustCheckpoint: true }),
  "weights that are untrained": () => createClassifier({ weights: `untrained:${LONG}` }),
  "a hash": () => createClassifier({ sha256: LONG }),
  "a device": () => createClassifier({ device: any(LONG) }),
  "a Python": () => createClassifier({ python: `nope ${ESCAPES}${"q".repeat(3_000)}` }),
  "a remote address": () => createClassifier({ remote: LONG }),
  labels: () => createClassifier({ labels: LONG }),
  "a list of pictures": () => listed(LONG).next(),
};

describe("the error says in short what it was given, of", () => {
  it.each(Object.keys(CALLS))("%s", async (name) => harmless(await failureOf(() => CALLS[name]?.())));
});

test("a worker's messages are harmless too", () => {
  const error = errorOf({
    type: "error",
    id: 1,
    generation: 1,
    fields: { code: "CHECKPOINT_MISMATCH", message: `missing: ${LONG}`, hint: `do ${LONG}` },
    frames: [],
  });
  expectHarmless(error.message.replaceAll("\n", ""));
  expectHarmless(error.hint.replaceAll("\n", ""));
});

test("a server's answers are harmless", async () => {
  const server = createServer((_, response) => {
    response.writeHead(400, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: LONG, code: LONG, hint: LONG, name: LONG, version: LONG }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  harmless(await failureOf(() => createClassifier({ remote: `http://127.0.0.1:${port}` })));
  server.close();
});

test("the labels of a file are told in short", async () => {
  const rows: readonly [string, string][] = [
    ["labels.json", `{"0": "a", "${"q".repeat(2 ** 20)}": "b"}`],
    ["labels.csv", `index,label\n0,a\n0,${"q".repeat(5_000)}\n`],
  ];
  for (const [name, content] of rows) {
    writeFileSync(join(folder, name), content);
    harmless(await failureOf(() => readLabels(join(folder, name), any(["tench", "goldfish", "shark"]))));
  }
});

describe("a table on a terminal", () => {
  const look = { isTerminal: true, isColoured: false };
  const top = [{ label: `tench${ESCAPES}`, index: 0, score: 0.5, percent: 50 }];

  test("has no name and no label that moves the cursor", async () => {
    const text = await table(look).of({ name: `a${ESCAPES}.jpg`, result: { top } });
    expect(text).not.toMatch(OBEYED);
    expect(text.split("\n")).toHaveLength(3);
  });

  test("says of a picture that failed only a part of its name, wherever stderr goes", () => {
    const error = new IsotorchError("INPUT_NOT_FOUND", "there is none");
    const text = table({ ...look, isTerminal: false }).aside?.({ name: LONG, error }) ?? "";
    expectHarmless(text);
    expect(text.split("\n")).toHaveLength(4);
  });
});

describe("the commands say in short what they do not know:", () => {
  const COMMANDS: readonly (readonly string[])[] = [
    [ARGUMENT],
    ["classify", `--${ARGUMENT}`],
    ["classify", "-5"],
    ["classify", "a.jpg", "--top-k", ARGUMENT],
    ["classify", "a.jpg", "--format", ARGUMENT],
    ["classify", "a.jpg", "--weights", `untrained:${ARGUMENT}`],
    ["classify", "a.jpg", "--remote", ARGUMENT],
    ["classify", ARGUMENT, "--weights", "untrained:0", "--python", ARGUMENT],
    ["eval", ARGUMENT],
    ["eval", "nope"],
    ["parity", "a.jpg", "--handoff", ARGUMENT],
    ["manifest", "diff", ARGUMENT, ARGUMENT],
    ["cache", ARGUMENT],
    ["cache", "verify", ARGUMENT],
    ["models", ARGUMENT],
    ["models", "pull", ARGUMENT],
    ["serve", ARGUMENT],
    ["serve", "--port", ARGUMENT],
    ["setup", ARGUMENT],
    ["setup", "--via", ARGUMENT],
    ["completion", ARGUMENT],
    ["up", "--replicas", ARGUMENT],
  ];

  it.each(COMMANDS.map((argv) => [argv.map((word) => word.slice(0, 14)).join(" "), argv] as const))(
    "%j",
    async (_, argv) => {
      const env = { ISOTORCH_OFFLINE: "1", TORCH_HOME: folder, ISOTORCH_CONFIG_DIR: folder };
      const { code, stdout, stderr } = await isotorch(argv, env);
      expect(code).toBeGreaterThan(0);
      expect(stdout + stderr).toContain("isotorch: ");
      expectHarmless(stdout + stderr);
    },
  );
});
