// What a hostile client sends, one of each kind. `send(target)` resolves with what became of it: a status, or a word.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { comments, scans, tower } from "./pictures.mjs";

const INFER = "/v2/models/resnet101/infer";
const MIB = 2 ** 20;
const PHOTO = readFileSync(new URL("../../../examples/images/balloons.jpg", import.meta.url));

/** The head of a request, ours or as the kind has it. */
function head({ port, token }, line, headers = {}) {
  const all = {
    Host: `127.0.0.1:${port}`,
    Authorization: `Bearer ${token}`,
    Connection: "close",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${line} HTTP/1.1\r\n${lines.join("")}\r\n`);
}

/**
 * A connection of its own.
 *
 * @param parts are written one after the other. @param leaveMs milliseconds until the client goes, whatever it heard.
 * @param isDeaf reads nothing.
 */
function talk({ port }, parts, { leaveMs = 60_000, isDeaf = false } = {}) {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    let text = "";
    const leave = setTimeout(() => socket.destroy(), leaveMs);
    socket.once("connect", () => {
      for (const part of parts) socket.write(part);
    });
    if (!isDeaf)
      socket.on("data", (chunk) => (text = text.length < 16 ? text + chunk.toString("latin1") : text));
    socket.on("error", () => undefined); // it is refused in the middle
    socket.once("close", () => {
      clearTimeout(leave);
      resolve(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? (isDeaf ? "left deaf" : "no answer"));
    });
  });
}

function posted(target, path, type, body, headers = {}, options = {}) {
  const sized = { "Content-Type": type, "Content-Length": body.length, ...headers };
  return talk(target, [head(target, `POST ${path}`, sized), body], options);
}

const json = (target, body) => posted(target, INFER, "application/json", Buffer.from(body));
const picture = (target, body, path = "/classify") => posted(target, path, "image/jpeg", body);
const inJson = (data) =>
  `{"inputs":[{"name":"input","datatype":"FP32","shape":[1,3,224,224],"data":${data}}]}`;
const binary = (target, input, bytes) => {
  const text = Buffer.from(
    JSON.stringify({ inputs: [{ ...input, parameters: { binary_data_size: bytes.length } }] }),
  );
  const length = { "Inference-Header-Content-Length": text.length };
  return posted(target, INFER, "application/octet-stream", Buffer.concat([text, bytes]), length);
};
const TENSOR = { name: "input", datatype: "FP32", shape: [1, 3, 224, 224] };

const SETTLED = ["200", "413", "415", "422", "503", "504", "no answer", "left deaf"];
const EXPECTED = {
  "JSON of empty objects": ["400"],
  "JSON, nested": ["400"],
  "a shape, nested": ["400"],
  "a body that unpacks": ["413"],
  "comments of HTML": ["415", "422", "501"],
  "topK of 1001": ["400"],
  "a tensor too short": ["400"],
  "a tensor of NaN": ["400"],
  "a tensor of another shape": ["400"],
  "a long header": ["431"],
  "a long address": ["431"],
  "no HTTP": ["400"],
};

/** Kinds by name; making them takes seconds. `expected`: what may become of it, where it is right. */
export function kinds({
  jsonBytes = 32 * MIB,
  scanCount,
  pieces,
  height,
  bodyBytes = 20 * MIB,
  holdMs = 5_000,
} = {}) {
  const objects = Buffer.from(inJson(`[${"{},".repeat(jsonBytes / 3)}{}]`));
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const [scan, gif, png] = [scans({ count: scanCount }), comments({ pieces }), tower({ height })];
  const unpacks = gzipSync(Buffer.alloc(256 * MIB), { level: 9 });
  const body = Buffer.concat([Buffer.from("ffd8ffe0", "hex"), Buffer.alloc(bodyBytes - 4)]);
  const half = (target) =>
    head(target, "POST /classify", { "Content-Type": "image/jpeg", "Content-Length": bodyBytes });
  const made = {
    "JSON of empty objects": (to) => json(to, objects),
    "JSON, nested": (to) => json(to, inJson(deep)),
    "a shape, nested": (to) => json(to, inJson("[]").replace("[1,3,224,224]", deep)),
    "JPEG of empty scans": (to) => picture(to, scan),
    "GIF of comments": (to) => picture(to, gif),
    "PNG, one pixel wide": (to) => picture(to, png),
    "a body that unpacks": (to) =>
      posted(to, "/classify", "image/png", unpacks, { "Content-Encoding": "gzip" }),
    "comments of HTML": (to) => picture(to, Buffer.from("<!---->".repeat(146)), "/compare"),
    "a body cut short": (to) => talk(to, [half(to), body.subarray(0, bodyBytes / 2)], { leaveMs: 200 }),
    "a body given up": (to) => talk(to, [half(to), body], { leaveMs: 100 }),
    "a body that never comes": (to) => talk(to, [half(to)], { leaveMs: holdMs }),
    "a silent connection": (to) => talk(to, [], { leaveMs: holdMs }),
    "a deaf reader of events": (to) => talk(to, [head(to, "GET /events")], { leaveMs: holdMs, isDeaf: true }),
    "a deaf reader of an answer": (to) =>
      talk(to, [head(to, "GET /metrics", { Connection: "keep-alive" })], { leaveMs: holdMs, isDeaf: true }),
    "topK of 1001": (to) => picture(to, PHOTO, "/classify?topK=1001"),
    "a tensor too short": (to) => binary(to, TENSOR, Buffer.alloc(1_000)),
    "a tensor of NaN": (to) => binary(to, TENSOR, Buffer.alloc(602_112, 0xff)),
    "a tensor of another shape": (to) =>
      binary(to, { ...TENSOR, shape: [32, 3, 225, 224] }, Buffer.alloc(602_112)),
    "a long header": (to) => talk(to, [head(to, "GET /v2", { "X-Long": "x".repeat(64 * 1_024) })]),
    "a long address": (to) => talk(to, [head(to, `GET /${"x".repeat(64 * 1_024)}`)]),
    "no HTTP": (to) => talk(to, [Buffer.alloc(64 * 1_024, 0x16)]),
  };
  return Object.entries(made).map(([name, send]) => ({ name, send, expected: EXPECTED[name] ?? SETTLED }));
}
