// Damaged checkpoints: refused with a typed error, never loaded with other numbers than their hash promises.
import { execFile } from "node:child_process";
import {
  copyFileSync,
  mkdtempSync,
  openSync,
  closeSync,
  readSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { IsotorchError } from "../../dist/index.js";
import { CACHE_DIR, SMALL, startReal } from "./real.mjs";
import { PYTHON } from "./stub.mjs";

const SCRIPT = fileURLToPath(new URL("../../test/fixtures/workers/damaged_checkpoints.py", import.meta.url));

export const checkpoints = {
  name: "checkpoints",
  what: "damaged checkpoints",
  full: { files: 2_000, real: 6, model: "resnet101" },
  short: { files: 200, real: 1, model: SMALL },
  async run(ledger, random, { files, real, model }) {
    const seed = String(random.integer(0, 1_000_000));
    const { stdout } = await promisify(execFile)(PYTHON, [SCRIPT, String(files), seed]);
    const seen = JSON.parse(stdout);
    ledger.note("small files damaged", seen.files);
    ledger.check(
      "refused by their hash",
      seen["refused by hash"] === seen.files,
      `${seen["refused by hash"]} of ${seen.files}`,
    );
    ledger.check("loaded with other content", seen.wrong === 0, seen.wrong);
    ledger.note(
      "without a hash: refused; the same content, or a format without checksums",
      `${seen.refused}; ${seen["the same content"]}`,
    );
    ledger.check(
      "errors without a type",
      seen.untyped.length === 0,
      [seen.untyped.length, ...seen.untyped.slice(0, 3)].join(" | "),
    );
    const codes = [];
    for (let n = 0; n < real; n++) codes.push(await refusal(random, model));
    const typed = codes.filter((code) => code === "CHECKPOINT_CORRUPT").length;
    ledger.check(
      "real checkpoints damaged and refused",
      typed === real,
      `${typed} of ${real} ${codes.join(", ")}`,
    );
  },
};

/** The code with which a worker refuses a damaged copy of the real checkpoint. */
async function refusal(random, model) {
  const whole = await madeCheckpoint(model);
  const folder = mkdtempSync(join(tmpdir(), "chaos-"));
  const path = join(folder, "damaged.pth");
  try {
    copyFileSync(whole, path);
    damage(random, path);
    const sha256 = readFileSync(`${whole}.sha256`, "utf8").slice(0, 64);
    const classifier = await startReal({ model, weights: path, sha256, transforms: "IMAGENET1K_V1" });
    await classifier.close();
    return "loaded";
  } catch (error) {
    return error instanceof IsotorchError ? error.code : String(error);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function damage(random, path) {
  const { size } = statSync(path);
  const at = random.integer(0, size - 1);
  const how = random.pick(["flip", "truncate", "extend"]);
  if (how === "truncate") return truncateSync(path, at);
  const file = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  if (how === "flip") readSync(file, byte, 0, 1, at);
  byte[0] ^= 1 << random.integer(0, 7);
  writeSync(file, byte, 0, 1, how === "flip" ? at : size);
  closeSync(file);
}

async function madeCheckpoint(model) {
  const path = join(CACHE_DIR, `${model}-untrained-0.pth`);
  if (statSync(path, { throwIfNoEntry: false }) === undefined) await (await startReal({ model })).close();
  return path;
}
