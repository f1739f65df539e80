// Worker kills under load on the real network; every answer is compared with the undisturbed one, bit for bit.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { SMALL, startReal } from "./real.mjs";
import { signal, socketDirectories, until } from "./system.mjs";

const IMAGES = ["balloons.jpg", "dog.webp", "fruit.png", "landscape.jpg"];
const CALLERS = 3;
const READY_MS = 120_000;

export const killsReal = {
  name: "kills-real",
  what: "worker kills under load, real network",
  full: { kills: 20, model: "resnet101" },
  short: { kills: 1, model: SMALL },
  async run(ledger, random, options) {
    const classifier = await startReal({ model: options.model });
    const counts = { calls: 0, wrong: 0, failed: [] };
    try {
      const pictures = await Promise.all(IMAGES.map((name) => undisturbed(classifier, name)));
      const load = { on: true };
      const caller = async (index) => {
        for (let n = index; load.on; n++) await compare(classifier, pictures[n % pictures.length], counts);
      };
      const callers = Array.from({ length: CALLERS }, (_, index) => caller(index));
      for (let n = 0; n < options.kills; n++) {
        await delay(random.integer(50, 600));
        const { pid } = classifier.health();
        const before = counts.calls;
        if (pid !== undefined) signal(pid, random.pick(["SIGKILL", "SIGSEGV"]));
        // The next kill waits until those that were hit have run again.
        await until(() => counts.calls >= before + 2 * CALLERS && classifier.health().ready, READY_MS);
      }
      load.on = false;
      await Promise.all(callers);
      ledger.note("workers started", classifier.stats().starts);
      ledger.note("calls delivered again", classifier.stats().redelivered);
    } finally {
      await classifier.close();
    }
    ledger.check(
      "calls that failed",
      counts.failed.length === 0,
      `${counts.failed.length} ${counts.failed.join(", ")}`,
    );
    ledger.check(
      "answers other than the undisturbed ones",
      counts.wrong === 0,
      `${counts.wrong} of ${counts.calls}`,
    );
    ledger.check(
      "socket directories after close()",
      socketDirectories().length === 0,
      socketDirectories().length,
    );
  },
};

async function undisturbed(classifier, name) {
  const bytes = readFileSync(fileURLToPath(new URL(`../../examples/images/${name}`, import.meta.url)));
  return { bytes, logits: await logitsOf(classifier, bytes) };
}

async function compare(classifier, { bytes, logits }, counts) {
  try {
    const again = await logitsOf(classifier, bytes);
    if (!again.equals(logits)) counts.wrong += 1;
  } catch (error) {
    counts.failed.push(error?.code ?? String(error));
  }
  counts.calls += 1;
}

async function logitsOf(classifier, bytes) {
  const { logits } = await classifier.classifyDetailed(new Uint8Array(bytes), {
    include: { logits: true },
    timeoutMs: READY_MS,
  });
  return Buffer.from(new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength));
}
