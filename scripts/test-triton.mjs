// `npm run test:triton`: Triton's own Python client against a server of ours. It comes from PyPI into a virtual
// environment of its own; where that cannot be made, this step is skipped and says so.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClassifier } from "../dist/index.js";
import { createServer } from "../dist/server.js";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const CLIENT = "tritonclient[http]==2.73.0";
const venv = join(tmpdir(), "isotorch-triton");
const python = join(venv, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
const run = (file, ...args) => spawnSync(file, args, { stdio: "inherit" }).status === 0;
const hasClient = () =>
  existsSync(python) && spawnSync(python, ["-X", "utf8", "-c", "import tritonclient.http"]).status === 0;

if (!hasClient()) {
  process.stderr.write(`> Installing ${CLIENT} into ${venv}\n`);
  const made =
    run("python3", "-X", "utf8", "-m", "venv", venv) &&
    run(python, "-X", "utf8", "-m", "pip", "install", "--quiet", CLIENT);
  if (!made || !hasClient()) {
    process.stderr.write("SKIPPED: test:triton (tritonclient cannot be installed from PyPI)\n");
    process.exit(0);
  }
}

const folder = mkdtempSync(join(tmpdir(), "isotorch-triton-test-"));
let classifier;
let server;
let code = 1;
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
  const args = ["-X", "utf8", "test/server/triton_client.py", server.url, server.token, folder, pid];
  const child = spawn(python, args, { stdio: "inherit" });
  code = await new Promise((resolve) => child.once("close", resolve));
} finally {
  await server?.close();
  await classifier?.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = code ?? 1;
