// `node bench/remote.mjs [COUNT]`: what a picture costs a remote client, in CPU time and bytes, by handoff. The server is
// another process that answers at once: what is measured is this side, from the file to the classes.
import { fork } from "node:child_process";
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PICTURE = fileURLToPath(new URL("../examples/images/balloons.jpg", import.meta.url));
const CLASSES = 1_000;

if (process.argv[2] === "server") serve();
else await measure(Number(process.argv[2] ?? 300));

/** An Open Inference Protocol server without a network. */
function serve() {
  const tensor = (name, datatype, shape) => ({ name, datatype, shape });
  const model = {
    name: "resnet101",
    platform: "none",
    inputs: [
      tensor("input", "FP32", [-1, 3, 224, 224]),
      tensor("pixels", "UINT8", [-1, 224, 224, 3]),
      tensor("image", "BYTES", [-1]),
    ],
    outputs: [
      tensor("logits", "FP32", [-1, CLASSES]),
      tensor("probabilities", "FP32", [-1, CLASSES]),
      tensor("indices", "INT32", [-1, CLASSES]),
    ],
  };
  const values = {
    logits: new Float32Array(CLASSES).fill(1),
    probabilities: new Float32Array(CLASSES).fill(1 / CLASSES),
    indices: Int32Array.from({ length: CLASSES }, (_, at) => at),
  };
  let received = 0;
  let sent = 0;
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      if (request.method === "GET") {
        const known = { "/v2": { name: "isotorch", version: "bench" }, "/v2/models/resnet101": model };
        const answer = known[request.url];
        return response
          .writeHead(answer || request.url.endsWith("ready") ? 200 : 404)
          .end(JSON.stringify(answer ?? {}));
      }
      received += body.length;
      const json = JSON.parse(
        body.toString("utf8", 0, Number(request.headers["inference-header-content-length"])),
      );
      const binaries = [];
      const outputs = json.outputs.map(({ name, parameters }) => {
        const data = values[name];
        if (parameters.classification) {
          const texts = Array.from(data, (value, at) => `${value}:${at}:class ${at}`);
          return { ...tensor(name, "BYTES", [1, CLASSES]), data: texts };
        }
        binaries.push(Buffer.from(data.buffer));
        const datatype = name === "indices" ? "INT32" : "FP32";
        return { ...tensor(name, datatype, [1, CLASSES]), parameters: { binary_data_size: 4 * CLASSES } };
      });
      const head = Buffer.from(JSON.stringify({ id: json.id, outputs }));
      const answer = Buffer.concat([head, ...binaries]);
      sent += answer.length;
      response.writeHead(200, { "inference-header-content-length": head.length }).end(answer);
    });
  });
  process.on("message", () => {
    process.send({ received, sent });
    [received, sent] = [0, 0];
  });
  server.listen(0, "127.0.0.1", () => process.send(server.address().port));
}

async function measure(count) {
  const { createClassifier } = await import("../dist/index.js");
  const server = fork(fileURLToPath(import.meta.url), ["server"]);
  const told = () => new Promise((resolve) => server.once("message", resolve));
  const port = await told();
  console.log(`${PICTURE.split("/").at(-1)}, ${readFileSync(PICTURE).length} bytes, ${count} pictures each`);
  for (const handoff of ["tensor", "pixels", "encoded"]) {
    const classifier = await createClassifier({ remote: `http://127.0.0.1:${port}`, handoff });
    const images = (n) => Array.from({ length: n }, () => PICTURE);
    await classifier.classify(images(50));
    server.send("reset");
    await told();
    const [cpu, started] = [process.cpuUsage(), performance.now()];
    await classifier.classify(images(count));
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (performance.now() - started) / 1_000;
    server.send("count");
    const { received, sent } = await told();
    const ms = (user + system) / 1_000 / count;
    console.log(
      `${handoff.padEnd(8)} ${ms.toFixed(2)} ms CPU, ${(1_000 / ms).toFixed(0)} pictures per CPU core and second, ` +
        `${(count / seconds).toFixed(0)}/s here, ${Math.round(received / count)} bytes there, ${Math.round(sent / count)} back`,
    );
    await classifier.close();
  }
  server.kill();
}
