// `npm run test:triton`: the Python clients of Triton and KServe, and perf_analyzer, against a server of ours. They come from PyPI into a
// virtual environment of their own; where one cannot be installed, it is skipped, and this says so.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClassifier } from "../dist/index.js";
import { createServer } from "../dist/server.js";
import { analyze, perfAnalyzer } from "./triton/perf-analyzer.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const CLIENTS = [
  { name: "tritonclient", needs: "tritonclient[http]==2.73.0", holds: "tritonclient.http" },
  { name: "kserve", needs: "kserve==0.21.0", holds: "kserve.inference_client" },
];
const venv = join(tmpdir(), "isotorch-triton");
const python = join(venv, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
const run = (file, ...args) => spawnSync(file, args, { stdio: "inherit" }).status === 0;
const has = ({ holds }) =>
  existsSync(python) && spawnSync(python, ["-X", "utf8", "-c", `import ${holds}`]).status === 0;

const installed = CLIENTS.filter((client) => {
  if (has(client)) return true;
  process.stderr.write(`> Installing ${client.needs} into ${venv}\n`);
  const made =
    (existsSync(python) || run("python3", "-X", "utf8", "-m", "venv", venv)) &&
    run(python, "-X", "utf8", "-m", "pip", "install", "--quiet", client.needs);
  if (made && has(client)) return true;
  process.stderr.write(`SKIPPED: test:triton (${client.name} cannot be installed from PyPI)\n`);
  return false;
});
if (installed.length === 0) process.exit(0);
const perf = await perfAnalyzer(python, join(tmpdir(), "isotorch-perf-analyzer"));
if (perf === undefined) process.stderr.write("SKIPPED: test:triton (perf_analyzer cannot run here)\n");

const folder = mkdtempSync(join(tmpdir(), "isotorch-triton-test-"));
let classifier;
let server;
let code = 1; // where it does not come so far
try {
  classifier = await createClassifier({ weights: "untrained:0", threads: 2, device: "cpu" });
  server = await createServer({ classifier, port: 0 });
  for (const name of readdirSync("examples/images")) {
    const include = { logits: true, probabilities: true, tensor: true };
    const local = await classifier.classifyDetailed(`examples/images/${name}`, { include });
    writeFileSync(join(folder, `${name}.tensor`), local.tensor.data);
    writeFileSync(join(folder, `${name}.logits`), local.logits);
    writeFileSync(join(folder, `${name}.probabilities`), local.probabilities);
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(local.top));
  }
  const pid = String(classifier.health().pid);
  const { url, token } = server;
  const file = join(folder, "input.json");
  writeFileSync(
    file,
    JSON.stringify({ data: [{ input: Array.from({ length: 150_528 }, (_, at) => (at % 7) / 7 + 0.01) }] }),
  );
  code = 0;
  // Triton's kills the worker at its end.
  for (const { name } of installed.toReversed()) {
    const script = `test/server/${name === "kserve" ? "kserve" : "triton"}_client.py`;
    const args = ["-X", "utf8", script, server.url, server.token, folder, pid];
    const child = spawn(python, args, { stdio: "inherit" });
    const ended = await new Promise((resolve) => child.once("close", resolve));
    if (ended !== 0) code = 1;
  }
  if (perf !== undefined && !(await analyze(perf, { url, token, model: "resnet101", file }))) code = 1;
} finally {
  await server?.close();
  await classifier?.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = code;
