// A controller to be killed: `node controllers-child.mjs idle | load | hold-gil | real`. Prints "up" when it may be.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startReal } from "./real.mjs";
import { ask, runOf, startStub } from "./stub.mjs";
import { until } from "./system.mjs";

const mode = process.argv[2];
const picture = fileURLToPath(new URL("../../examples/images/dog.webp", import.meta.url));

if (mode === "real") {
  const classifier = await startReal();
  void keepOn(() => classifier.classify(picture));
} else {
  // A journal that vanished would end the worker: only the mode that reads it has one.
  const folder = mode === "hold-gil" ? mkdtempSync(join(tmpdir(), "chaos-")) : undefined;
  const journal = folder === undefined ? "/dev/null" : join(folder, "journal");
  const supervisor = await startStub({ journal, workMs: 5, isProtected: true });
  if (mode === "load") void keepOn((n) => ask(supervisor, `call ${n}`));
  if (folder !== undefined) {
    void ask(supervisor, "fault:hold-gil");
    await until(() => readFileSync(journal, "utf8").includes(runOf("fault:hold-gil")), 60_000);
    rmSync(folder, { recursive: true });
  }
}
process.stdout.write("up\n");
setInterval(() => undefined, 1_000);

async function keepOn(call) {
  for (let n = 0; ; n++) await call(n);
}
