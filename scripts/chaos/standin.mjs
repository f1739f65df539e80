// Whole classifiers on stubs: an interpreter that says what is asked of it at once, and runs the stub in the worker's place.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClassifier } from "../../dist/index.js";
import { PYTHON } from "./stub.mjs";

const STUB = fileURLToPath(new URL("../../test/fixtures/workers/stub.py", import.meta.url));

/** Writes the interpreter into a folder. @returns its path */
export function standin(folder, { workMs = 2 } = {}) {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  const python = join(bin, "python");
  const versions = {
    torch: "1.13.0",
    torchvision: "0.14.1",
    PIL: "9.4.0",
    zmq: "24.0.1",
    msgpack: "1.0.3",
    numpy: "1.24.2",
  };
  const answer = { python: "3.11.2", executable: python, prefix: folder, versions, missing: [], watch: [] };
  const lines = [
    "#!/bin/sh",
    `case "$*" in *" serve"*) exec "${PYTHON}" -X utf8 -u "${STUB}" batches /dev/null ${workMs} ;; esac`,
    `cat <<'END'`,
    JSON.stringify(answer),
    "END",
  ];
  writeFileSync(python, `${lines.join("\n")}\n`);
  chmodSync(python, 0o755);
  // What is found out and noted stays out of the user's own folder.
  process.env.ISOTORCH_CONFIG_DIR = join(folder, "config");
  return python;
}

/** A classifier whose worker is a stub: its answer's score is a digest of the tensor that it was given. */
export function startOn(python, options = {}) {
  return createClassifier({
    python,
    weights: "untrained:0",
    device: "cpu",
    threads: 1,
    ...options,
    supervision: { restartDelaysMs: [20], maxExits: 1_000_000, ...options.supervision },
  });
}
