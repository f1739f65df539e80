// Worker kills at random tokens of texts; each text is compared with the undisturbed one, token by token.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGenerator } from "../../dist/index.js";
import { smallNetwork } from "../text/small.mjs";
import { standin } from "./standin.mjs";
import { PYTHON } from "./stub.mjs";
import { signal, socketDirectories } from "./system.mjs";

const TOKENS = 40;

export const texts = {
  name: "texts",
  what: `a worker kill at a random token of each text, ${TOKENS} tokens`,
  full: { kills: 200, real: 1 },
  short: { kills: 5, real: 0 },
  async run(ledger, random, { kills, real }) {
    const folder = mkdtempSync(join(tmpdir(), "chaos-texts-"));
    const generator = await createGenerator({
      ...(real
        ? { python: PYTHON, weights: await smallNetwork(join(folder, "small")) }
        : { python: standin(folder), model: "gpt2", weights: "untrained:0" }),
      device: "cpu",
      threads: 1,
      // So many ends in a row would open the circuit, which is not looked at here.
      supervision: { restartDelaysMs: [20], maxExits: 1_000_000 },
    });
    const found = { texts: 0, wrong: 0, failed: [] };
    const hits = () => generator.stats().redelivered;
    try {
      // A worker may have sent its last token already when it is killed: such a kill does not count.
      for (let seed = 0; hits() < kills && seed < 2 * kills; seed++) {
        found.texts += 1;
        const options = { maxTokens: TOKENS, temperature: 1.5, seed };
        try {
          const whole = await generator.generate("In the beginning", options);
          const again = await killed(generator, options, random.integer(1, TOKENS - 1));
          if (again.ids.join() !== whole.ids.join() || again.text !== whole.text) found.wrong += 1;
        } catch (error) {
          found.failed.push(error?.code ?? String(error));
        }
      }
      ledger.note("workers", real ? "the real one, GPT-2 of 2 layers × 32" : "stubs");
      ledger.note("workers started", generator.stats().starts);
      ledger.note("the circuit's limit of ends", "raised to 1,000,000 for this");
      ledger.check("kills in the middle of a text", hits() >= kills, `${hits()} in ${found.texts} texts`);
    } finally {
      await generator.close();
      rmSync(folder, { recursive: true, force: true });
    }
    ledger.check(
      "texts that failed",
      found.failed.length === 0,
      `${found.failed.length} ${found.failed.join(", ")}`,
    );
    ledger.check(
      "texts other than the undisturbed ones",
      found.wrong === 0,
      `${found.wrong} of ${found.texts}`,
    );
    ledger.check(
      "socket directories after close()",
      socketDirectories().length === 0,
      socketDirectories().length,
    );
  },
};

/** A text whose worker is killed when so many tokens were read. */
async function killed(generator, options, after) {
  const ids = [];
  let text = "";
  for await (const token of generator.stream("In the beginning", options)) {
    ids.push(token.id);
    text += token.text;
    const { pid } = generator.health();
    if (ids.length === after && pid !== undefined) signal(pid, "SIGKILL");
  }
  return { ids, text };
}
