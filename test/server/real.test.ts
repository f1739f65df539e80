/** The server in front of the real network: the same bits, the truth about the worker, and a command that ends well. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClassifier } from "../../src/classification/classifier.ts";
import type { Classifier } from "../../src/classification/classifier.ts";
import { decode } from "../../src/image/decode/decode.ts";
import { pixelsToTensor } from "../../src/image/tensor.ts";
import { createServer } from "../../src/server.ts";
import type { Server } from "../../src/server.ts";
import { MODEL, NETWORK, UNTRAINED } from "../checkpoint.ts";
import { codeOf } from "../failure.ts";
import { ended, isRunning, ofTest, processesWith } from "../processes.ts";
import { DECODER, TOKEN, errorOf, picture, send } from "./serve.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const EXAMPLES = new URL("../../examples/images/", import.meta.url);
const PICTURES = readdirSync(EXAMPLES).map((name) => readFileSync(new URL(name, EXAMPLES)));
const [FIRST = Buffer.alloc(0)] = PICTURES;

let classifier: Classifier;
let server: Server;
beforeAll(async () => {
  classifier = await createClassifier(UNTRAINED);
  server = await createServer({ classifier, token: TOKEN, port: 0, decoder: { script: DECODER } });
});
afterAll(async () => {
  await server?.close();
  await classifier?.close();
});

async function inferred(name: string, shape: number[], datatype: string, data: Buffer): Promise<Buffer> {
  const input = { name, shape, datatype, parameters: { binary_data_size: data.length } };
  const json = Buffer.from(
    JSON.stringify({ inputs: [input], outputs: [{ name: "logits", parameters: { binary_data: true } }] }),
  );
  const headers = { "inference-header-content-length": String(json.length) };
  const reply = await send(server, `/v2/models/${MODEL}/infer`, {
    body: Buffer.concat([json, data]),
    headers,
  });
  expect(reply.status).toBe(200);
  return reply.body.subarray(Number(reply.headers["inference-header-content-length"]));
}

const bytesOf = (floats: Float32Array | undefined): Buffer =>
  Buffer.from(floats?.buffer ?? new ArrayBuffer(0), floats?.byteOffset ?? 0, floats?.byteLength ?? 0);

describe("the same bits as in a program:", () => {
  test("every example, as a picture and as a tensor", async () => {
    for (const bytes of PICTURES) {
      const local = await classifier.classifyDetailed(bytes, { include: { logits: true, tensor: true } });
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      const tensor = bytesOf(local.tensor?.data);
      expect((await inferred("input", [1, 3, 224, 224], "FP32", tensor)).equals(bytesOf(local.logits))).toBe(
        true,
      );
      const encoded = Buffer.concat([length, bytes]);
      expect((await inferred("image", [1], "BYTES", encoded)).equals(bytesOf(local.logits))).toBe(true);
      expect((await picture(server, { body: bytes })).json["top"]).toEqual(local.top);
    }
  });

  test("a picture that only Pillow reads, with its crop", async () => {
    const body = await cmyk();
    const { json } = await picture(server, { body, query: "?include=crop,tensor" });
    const local = await classifier.classifyDetailed(body, { include: { tensor: true } });
    expect(json["top"]).toEqual(local.top);
    expect((json["tensor"] as { data: number[] }).data).toEqual([...(local.tensor?.data ?? [])]);
    const { png } = json["crop"] as { png: string };
    const crop = await decode(Buffer.from(png.split(",")[1] ?? "", "base64"));
    expect(pixelsToTensor(crop, classifier.info().spec)).toEqual(local.tensor);
  });

  test("a damaged picture gets the same code", async () => {
    const cut = PICTURES.map((bytes) => bytes.subarray(0, bytes.length >> 1));
    for (const bytes of cut) {
      const reply = await picture(server, { body: bytes });
      expect(errorOf(reply).code).toBe(await codeOf(classifier.classify(bytes)));
      expect(reply.status).toBe(422);
    }
  });
});

/** Four channels: only Pillow makes RGB of them as Pillow does. */
function cmyk(): Promise<Buffer> {
  return sharp(FIRST).toColourspace("cmyk").jpeg().toBuffer();
}

test("plain PyTorch beside it says equal in all ten stages, also where Pillow decodes", async () => {
  const pictures = [FIRST, await cmyk()];
  for (const body of pictures) {
    const headers = { "content-type": "image/jpeg", "x-request-timeout-ms": "140000" };
    const { json } = await send(server, "/compare", { body, headers });
    expect(json).toMatchObject({ verdict: "equal", firstDivergence: null });
    const stages = json["stages"] as { outcome: string }[];
    expect(stages.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 10 }, () => "equal"));
    const { top } = json["reference"] as { top: { percent: number; index: number }[] };
    const ours = await classifier.classify(body);
    expect(top.map(({ index, percent }) => [index, percent])).toEqual(
      ours.map(({ index, percent }) => [index, percent]),
    );
  }
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith("isotorch-compare-"))).toEqual([]);
});

test("ready turns 503 at the worker's death and back, and the call of that moment is answered", async () => {
  const before = await picture(server);
  const { pid } = classifier.health();
  const during = picture(server);
  process.kill(pid!, "SIGKILL");
  // Nothing but the system's word is waited for.
  await expect.poll(() => isRunning(pid!)).toBe(false);
  await expect
    .poll(async () => (await send(server, "/v2/health/ready")).status, { timeout: 3_000 })
    .toBe(503);
  expect((await send(server, `/v2/models/${MODEL}/ready`)).status).toBe(503);
  expect((await send(server, "/v2/health/live")).status).toBe(200);
  expect((await during).json).toEqual(before.json);
  await expect.poll(async () => (await send(server, "/v2/health/ready")).status).toBe(200);
  expect((await send(server, "/metrics")).body.toString()).toContain("isotorch_worker_restarts_total 1");
});

/** A picture of which nothing but the head is there yet. */
function begun(port: number, length: number): ClientRequest {
  const headers = {
    authorization: `Bearer ${TOKEN}`,
    "content-type": "image/jpeg",
    "content-length": length,
  };
  return request({ host: "127.0.0.1", port, path: "/classify", method: "POST", headers, agent: false });
}

describe("`isotorch serve`", () => {
  let temporary: string;
  beforeAll(() => {
    temporary = mkdtempSync(join(tmpdir(), "serve-test-"));
  });
  afterAll(() => rmSync(temporary, { recursive: true, force: true }));

  test("prints one line, answers, finishes what it has on SIGTERM, and leaves nothing", async () => {
    const args = [MAIN, "serve", ...NETWORK, "--python", String(UNTRAINED.python), "--port", "0"];
    const env = { ...process.env, TMPDIR: temporary, ISOTORCH_TOKEN: TOKEN };
    const child = ofTest(spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], env }));
    const ending = ended(child);
    let stdout = "";
    child.stdout.on("data", (text: string) => (stdout += text));
    await expect.poll(() => stdout).toContain("\n");
    const [, port = ""] =
      /^shufflenet_v2_x0_5, untrained:0 \(untrained[^\n]*\), on cpu: http:\/\/127\.0\.0\.1:(\d+)\/#token=a-token-of-the-tests\n$/.exec(
        stdout,
      ) ?? [];
    const at = { ...server, port: Number(port) };
    const upload = begun(at.port, FIRST.length);
    upload.write(FIRST.subarray(0, 1_000));
    await expect
      .poll(async () => (await send(at, "/metrics")).body.toString())
      .toContain("\nisotorch_http_requests_in_flight 1\n");
    child.kill("SIGTERM");
    const answered = once(upload, "response");
    upload.end(FIRST.subarray(1_000));
    const [answer] = (await answered) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(200);
    const { code, stderr } = await ending;
    expect(code).toBe(143);
    for (const line of stderr.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("level");
    expect(stderr).not.toContain(TOKEN);
    await expect.poll(() => processesWith(temporary)).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  });
});
