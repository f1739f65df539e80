// `npm run bench:server [-- SECONDS]`: the server under load, by wrk (Debian's package, or WRK=PATH). With `-- hostile` it
// is hostile.mjs.
// In front of a fake classifier it shows what HTTP, decoding and the protocol cost; in front of the real network, what
// is left of the network's own rate.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClassifier } from "../dist/index.js";
import { createServer } from "../dist/server.js";
import { createFakeClassifier } from "../dist/testing.js";

if (process.argv[2] === "hostile") {
  await import("./hostile.mjs");
  process.exit();
}
const SECONDS = Number(process.argv[2] ?? 10);
const WRK = process.env.WRK ?? "wrk";
const PICTURE = readFileSync(fileURLToPath(new URL("../examples/images/landscape.jpg", import.meta.url)));
if (spawnSync(WRK, ["-v"]).error !== undefined) {
  process.stderr.write("SKIPPED: bench:server (there is no wrk; on Debian: apt-get install wrk)\n");
  process.exit(0);
}

const JSON_PART = JSON.stringify({
  inputs: [
    { name: "input", datatype: "FP32", shape: [1, 3, 224, 224], parameters: { binary_data_size: 602_112 } },
  ],
  outputs: [{ name: "logits", parameters: { binary_data: true } }],
});
const REQUESTS = {
  probe: { how: "GET /v2/health/ready", path: "/v2/health/ready" },
  tensor: {
    how: "POST /infer, binary tensor of 602 kB",
    path: "/v2/models/resnet101/infer",
    body: () => Buffer.concat([Buffer.from(JSON_PART), Buffer.alloc(602_112)]),
    headers: () => ({
      "Content-Type": "application/octet-stream",
      "Inference-Header-Content-Length": String(JSON_PART.length),
    }),
  },
  picture: {
    how: "POST /classify, a JPEG",
    path: "/classify",
    body: () => PICTURE,
    headers: () => ({ "Content-Type": "image/jpeg" }),
  },
};

const folder = mkdtempSync(join(tmpdir(), "isotorch-bench-server-"));
const rows = [];
try {
  const fake = await createFakeClassifier(() => ({
    top: [{ index: 0, label: "fake", score: 1 }],
    logits: new Float32Array(1_000),
    probabilities: new Float32Array(1_000),
  }));
  await measure("fake network", fake, ["probe", "tensor", "picture"]);
  const real = await createClassifier({ weights: "untrained:0" });
  const { tensor } = await real.classifyDetailed(PICTURE, { include: { tensor: true } });
  rows.push({
    what: "in the program",
    how: "classify(tensor), one after the other",
    ...(await inProgram(real, tensor)),
  });
  await measure(`real network, ${real.info().threads} threads`, real, ["tensor", "picture"]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.table(rows);

async function inProgram(classifier, tensor) {
  const until = performance.now() + SECONDS * 1_000;
  let done = 0;
  const started = performance.now();
  while (performance.now() < until) {
    await classifier.classify(tensor);
    done += 1;
  }
  return { perSecond: ((done / (performance.now() - started)) * 1_000).toFixed(1) };
}

async function measure(what, classifier, kinds) {
  const server = await createServer({ classifier, port: 0 });
  for (const kind of kinds) rows.push({ what, ...(await load(server, kind)) });
  await server.close();
  await classifier.close();
}

async function load(server, kind) {
  const { path, body, headers, how } = REQUESTS[kind];
  const script = join(folder, `${kind}.lua`);
  const file = join(folder, `${kind}.body`);
  if (body !== undefined) writeFileSync(file, body());
  const lua = Object.entries({ ...headers?.(), Authorization: `Bearer ${server.token}` })
    .map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`)
    .join("\n");
  const post =
    body === undefined
      ? ""
      : `wrk.method = "POST"\nwrk.body = io.open(${JSON.stringify(file)}, "rb"):read("*a")\n`;
  writeFileSync(script, post + lua);
  const args = ["-t1", "-c8", `-d${SECONDS}s`, "--latency", "-s", script, `${server.url}${path}`];
  const before = process.cpuUsage();
  const printed = await output(WRK, args);
  const { user, system } = process.cpuUsage(before);
  const find = (pattern) => pattern.exec(printed)?.[1] ?? "";
  return {
    how,
    perSecond: find(/Requests\/sec:\s+(\S+)/),
    // Of this process alone; the decoders and the network have theirs.
    "CPU ms": ((user + system) / 1_000 / Number(find(/(\d+) requests in/))).toFixed(2),
    p50: find(/^ +50% +(\S+)/m),
    p99: find(/^ +99% +(\S+)/m),
    failed: find(/Non-2xx or 3xx responses: (\d+)/) || "0",
  };
}

function output(file, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    child.once("error", reject);
    child.once("close", () => resolve(text));
  });
}
