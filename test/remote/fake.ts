/** A small Open Inference Protocol server that does what a test tells it, well or badly. */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { afterEach } from "vitest";
import { createClassifier } from "../../src/classification/classifier.ts";
import type { Classifier } from "../../src/classification/classifier.ts";
import type { ClassifierOptions, RemoteOptions } from "../../src/classification/options.ts";

const CLASSES = 1_000;
const opened: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of opened.splice(0).toReversed()) await resource[Symbol.asyncDispose]();
});

/** What the network of these tests answers to a tensor that starts with this value. */
export function logitsOf(first: number): Float32Array {
  return Float32Array.from({ length: CLASSES }, (_, at) => Math.sin(at * 12.9898 + first) * 9);
}

export function probabilitiesOf(logits: Float32Array): Float32Array {
  const powers = logits.map((logit) => Math.exp(logit));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** One inference request as it came. */
export interface Seen {
  readonly headers: IncomingMessage["headers"];
  readonly json: {
    readonly id?: string;
    readonly parameters?: { readonly timeout?: number };
    readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
    readonly outputs: readonly {
      readonly name: string;
      readonly parameters: { readonly classification?: number };
    }[];
  };
  readonly binary: Buffer;
}

export interface FakeServerOptions {
  /** @default "isotorch" */
  readonly name?: string;
  /** What the server says of itself. @default its name and the version 7 */
  readonly metadata?: object;
  /** @default those of an isotorch server */
  readonly model?: object;
  /** Of `/status`; undefined answers 404. */
  readonly network?: object | undefined;
  /** What is done instead of answering well, where it returns true. The first request is the look at creation. */
  readonly instead?: (seen: Seen, response: ServerResponse, count: number) => boolean | Promise<boolean>;
  readonly token?: string;
  readonly port?: number;
}

export interface FakeServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Inference requests without the look at creation. */
  readonly seen: Seen[];
  /** Whether `/ready` says so, or says nothing. */
  ready: boolean | "silent";
  connections: number;
}

type Model = Readonly<Record<"name" | "platform", string>> &
  Readonly<
    Record<
      "inputs" | "outputs",
      readonly { readonly name: string; readonly datatype: string; readonly shape: readonly number[] }[]
    >
  >;

export const OURS: Model = {
  name: "resnet101",
  platform: "pytorch",
  inputs: [
    { name: "input", datatype: "FP32", shape: [-1, 3, 224, 224] },
    { name: "pixels", datatype: "UINT8", shape: [-1, 224, 224, 3] },
    { name: "image", datatype: "BYTES", shape: [-1, 1] },
  ],
  outputs: [
    { name: "logits", datatype: "FP32", shape: [-1, CLASSES] },
    { name: "probabilities", datatype: "FP32", shape: [-1, CLASSES] },
    { name: "indices", datatype: "INT32", shape: [-1, CLASSES] },
  ],
};
/** As Triton shows a TorchScript model. */
export const TRITON: Model = {
  name: "resnet101",
  platform: "pytorch_libtorch",
  inputs: [{ name: "INPUT__0", datatype: "FP32", shape: [-1, 3, 224, 224] }],
  outputs: [{ name: "OUTPUT__0", datatype: "FP32", shape: [-1, CLASSES] }],
};
export const NETWORK: Readonly<Record<string, unknown>> = {
  model: "resnet101",
  weights: "a.pth",
  sha256: "1".repeat(64),
  trained: null,
  device: "cpu",
  deviceName: "a fake",
  threads: 2,
  precision: "exact",
  versions: { torch: "0" },
  resize: 256,
  crop: 224,
};

export async function fakeServer(options: FakeServerOptions = {}): Promise<FakeServer> {
  const { name = "isotorch", model = OURS, token } = options;
  const metadata = options.metadata ?? { name, version: "7", extensions: ["binary_tensor_data"] };
  const network = "network" in options ? options.network : NETWORK;
  const seen: Seen[] = [];
  let count = 0;
  const server = createServer((request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    const json = (body: object, status = 200): void =>
      void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      json({ error: "Who are you? Send the token.", code: "UNAUTHORIZED", hint: "Send the token." }, 401);
    } else if (path === "/v2") json(metadata);
    else if (path === "/v2/models/resnet101") json(model);
    else if (path === "/v2/models/resnet101/ready") {
      if (fake.ready !== "silent") json({}, fake.ready ? 200 : 503);
    } else if (path === "/status" && network !== undefined) json({ network });
    else if (path === "/v2/models/resnet101/infer") void infer(request, response);
    else json({ error: `unknown path ${path}` }, 404);
  });

  async function infer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request).catch(() => undefined);
    // A client may leave while it sends.
    if (body === undefined) return;
    const length = Number(request.headers["inference-header-content-length"]);
    const json = JSON.parse(body.toString("utf8", 0, length)) as Seen["json"];
    const one: Seen = { headers: request.headers, json, binary: body.subarray(length) };
    if (json.id !== "isotorch") seen.push(one);
    count += 1;
    if ((await options.instead?.(one, response, count)) !== true) answer(one, response);
  }

  server.on("connection", () => (fake.connections += 1));
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const fake: FakeServer = {
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    ready: true,
    connections: 0,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  opened.push(fake);
  return fake;
}

/** The good answer: to a tensor by its first value, to bytes by their sum. */
export function answer(
  { json, binary }: Seen,
  response: ServerResponse,
  change: (body: Buffer) => Buffer = (body) => body,
): void {
  const [input] = json.inputs;
  const isTensor = input?.name === "input" || input?.name === "INPUT__0";
  const values = outputsOf(isTensor ? binary.readFloatLE(0) : sumOf(binary));
  const binaries: Buffer[] = [];
  const outputs = json.outputs.map(({ name, parameters }) => {
    const data = values[name]!;
    if (parameters.classification !== undefined) {
      const texts = Array.from(values["indices"]!, (index) => `${data[index]}:${index}:label: ${index}`);
      return { name, datatype: "BYTES", shape: [1, CLASSES], data: texts };
    }
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    binaries.push(bytes);
    const datatype = data instanceof Int32Array ? "INT32" : "FP32";
    return { name, datatype, shape: [1, CLASSES], parameters: { binary_data_size: bytes.length } };
  });
  const header = Buffer.from(JSON.stringify({ model_name: "resnet101", id: json.id, outputs }));
  response.writeHead(200, {
    "content-type": "application/octet-stream",
    "inference-header-content-length": header.length,
  });
  response.end(change(Buffer.concat([header, ...binaries])));
}

/** What stands for the content of bytes that are no tensor. */
export function sumOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum + byte, 0) % 997;
}

const known = new Map<number, Readonly<Record<string, Float32Array | Int32Array>>>();

function outputsOf(first: number): Readonly<Record<string, Float32Array | Int32Array>> {
  const found = known.get(first);
  if (found !== undefined) return found;
  const logits = logitsOf(first);
  const indices = Int32Array.from([...logits.keys()].toSorted((a, b) => logits[b]! - logits[a]!));
  const outputs = { logits, probabilities: probabilitiesOf(logits), indices, OUTPUT__0: logits };
  known.set(first, outputs);
  return outputs;
}

/** An error as an isotorch server tells it. */
export function refuse(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): true {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  return true;
}

/** A classifier of these servers, closed after the test. */
export async function remote(
  servers: FakeServer | readonly FakeServer[],
  options: Omit<RemoteOptions, "url"> = {},
  others: ClassifierOptions = {},
): Promise<Classifier> {
  const url = [servers].flat().map((server) => server.url);
  const classifier = await createClassifier({ ...others, remote: { url, ...options } });
  opened.push(classifier);
  return classifier;
}

/** A tensor that starts with this value. */
export function tensor(first: number): { data: Float32Array; shape: number[] } {
  const data = new Float32Array(3 * 224 * 224);
  data[0] = first;
  return { data, shape: [1, 3, 224, 224] };
}
