// Damaged messages at each decoder: a message, or a protocol error, and nothing else.
import { execFile } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { decode } from "../../dist/protocol/wire.js";
import { mutate } from "./mutate.mjs";
import { PYTHON } from "./stub.mjs";

const GOLDEN = fileURLToPath(new URL("../../test/fixtures/wire/", import.meta.url));
const SCRIPT = fileURLToPath(new URL("../../test/fixtures/workers/damaged_messages.py", import.meta.url));
const PAYLOADS = [0, 0, 1, 4, 9, 20];

export const messages = {
  name: "messages",
  what: "damaged messages at each decoder",
  full: { messages: 100_000 },
  short: { messages: 5_000 },
  async run(ledger, random, options) {
    account(ledger, "Node", here(random, options.messages));
    const seed = String(random.integer(0, 1_000_000));
    const { stdout } = await promisify(execFile)(PYTHON, [SCRIPT, String(options.messages), seed]);
    account(ledger, "Python", JSON.parse(stdout));
  },
};

function here(random, count) {
  const golden = readdirSync(GOLDEN)
    .filter((name) => name.endsWith(".bin"))
    .map((name) => framesIn(readFileSync(join(GOLDEN, name))));
  const headers = golden.map(([header]) => header);
  const seen = { messages: 0, "protocol errors": 0, others: [], count: 0 };
  for (let n = 0; n < count; n++) {
    const [whole, ...own] = random.pick(golden);
    const header = mutate(random, whole, headers).bytes;
    const isOwn = random.integer(0, 1) === 0;
    const payloads = Array.from({ length: random.pick(PAYLOADS) }, () => Buffer.alloc(random.integer(0, 32)));
    try {
      decode([header, ...(isOwn ? own : payloads)]);
      seen.messages += 1;
    } catch (error) {
      if (error?.code === "PROTOCOL_ERROR") seen["protocol errors"] += 1;
      else seen.others[seen.count++ % 5] = String(error);
    }
  }
  return seen;
}

/** The frames in a golden file: each has its length as u32, little-endian, before it. */
function framesIn(bytes) {
  const frames = [];
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32LE(at)) {
    frames.push(bytes.subarray(at + 4, at + 4 + bytes.readUInt32LE(at)));
  }
  return frames;
}

function account(ledger, where, seen) {
  const total = seen.messages + seen["protocol errors"] + seen.count;
  ledger.note(`${where}: damaged messages; still valid`, `${total}; ${seen.messages}`);
  ledger.check(
    `${where}: anything but a message or a protocol error`,
    seen.count === 0,
    [seen.count, ...seen.others].join(" | "),
  );
}
