/** From nothing to a classification by way of conda, interrupted in the middle: a stand-in makes the prefix, the rest is real. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { createClassifier } from "../../src/classification/classifier.ts";
import { setup } from "../../src/setup/setup.ts";
import { surroundings } from "../../src/python/surroundings.ts";
import { testMachine } from "../fixtures/environments/machine.ts";
import { UNTRAINED } from "../checkpoint.ts";

const DEBIAN = "/usr/bin/python3";
const PICTURE = fileURLToPath(new URL("../../examples/images/", import.meta.url));

afterEach(() => vi.unstubAllEnvs());

test.skipIf(!canLend())("setup, Ctrl-C, setup, classify", async () => {
  await using machine = await testMachine();
  await machine.tool("conda");
  const environ = {
    ...machine.at.environ,
    PATH: `${machine.at.environ["PATH"]}:/usr/bin:/bin`,
    ISOTORCH_STANDIN_REAL: DEBIAN,
  };
  const at = surroundings({ environ, systemPythons: [] });
  const linux = { at, isRoot: false, osRelease: "", distributionPython: "", arch: "x64" };
  const log = (): string =>
    existsSync(join(machine.root, "log")) ? readFileSync(join(machine.root, "log"), "utf8") : "";

  const stop = new AbortController();
  const slow = { ...linux, at: { ...at, environ: { ...environ, ISOTORCH_STANDIN_PAUSE: "0.05" } } };
  const quiet = { via: "conda", say: () => undefined, echo: () => undefined } as const;
  const first = setup({ ...quiet, signal: stop.signal }, slow);
  const watch = setInterval(() => log().includes("linked numpy") && stop.abort(), 5);
  await expect(first.finally(() => clearInterval(watch))).rejects.toMatchObject({ code: "ABORTED" });
  expect(log()).toContain("conda interrupted");

  const { environment } = await setup(quiet, linux);
  expect(log().match(/downloaded/g)).toHaveLength(7);
  const prefix = join(machine.root, "conda/envs/isotorch");
  expect(environment).toMatchObject({ prefix, complaint: null });
  expect(environment?.variables).toMatchObject({ CONDA_PREFIX: prefix, MKL_INTERFACE_LAYER: "LP64,GNU" });

  // What setup recorded is all that the classifier is told.
  vi.stubEnv("ISOTORCH_CONFIG_DIR", join(machine.root, "home/.config/isotorch"));
  vi.stubEnv("ISOTORCH_PYTHON", undefined);
  const { python: _, ...options } = UNTRAINED;
  await using classifier = await createClassifier(options);
  expect(classifier.info()).toMatchObject({
    environment: "recorded",
    executable: join(prefix, "bin/python"),
  });
  const [best] = await classifier.classify(join(PICTURE, "balloons.jpg"), { topK: 1 });
  expect(best?.percent).toBeGreaterThan(0);
});

/** Whether the distribution's own Python has PyTorch, in the place from which the stand-in links it. */
function canLend(): boolean {
  try {
    const code =
      "import venv, torchvision, zmq, msgpack, PIL; assert torchvision.__file__.startswith('/usr/lib/python3/dist-packages/')";
    execFileSync(DEBIAN, ["-I", "-c", code], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
