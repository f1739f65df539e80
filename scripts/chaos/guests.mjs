// What an application may do to its guest: functions that throw, numbers without end, aborts in every stage, hostile pictures and
// decoders that are killed, all beside honest calls. Those are answered as if nothing were.
import { setTimeout as delay } from "node:timers/promises";
import { IsotorchError } from "../../dist/index.js";
import { withStandin } from "./scene.mjs";
import { Tally, arriving, callAll, undisturbed } from "./stages.mjs";
import { startOn } from "./standin.mjs";
import { CAN_TELL, children, signal } from "./system.mjs";
import { fileURLToPath } from "node:url";

const PICTURE = fileURLToPath(new URL("../../examples/images/landscape.jpg", import.meta.url));
const DEADLINE_MS = 2_000;
/** Beyond its deadline a call is lost. */
const LATEST_MS = 30_000;
const BEYOND = [2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER];

export const guests = {
  name: "guests",
  what: "an application that does what it likes, stub",
  full: { count: 200, kills: 20 },
  short: { count: 24, kills: 2 },
  async run(ledger, random, { count, kills }) {
    await withStandin(ledger, { workMs: 3 }, async (python) => {
      let thrown = 0;
      const fail = () => {
        thrown += 1;
        throw new Error("the application's own");
      };
      const reported = new Set();
      const report = (message) => void reported.add(message);
      const classifier = await startOn(python, {
        onProgress: fail,
        logger: { debug: fail, info: fail, warn: report, error: report },
        supervision: { helloMs: 2 ** 32, readyMs: 2 ** 32, overdueMs: 2 ** 32, idleShutdownMs: 2 ** 32 },
      });
      const end = classifier.on("state", fail);
      const warnings = [];
      const hear = (warning) => {
        warnings.push(warning.name);
        // What a logger throws is told by Node: there is no other log.
        if (warning.code === "ISOTORCH_CALLBACK") report(warning.message);
      };
      process.on("warning", hear);
      const tally = new Tally(await undisturbed(classifier));
      const seen = { outcomes: {}, untyped: [], late: 0 };
      const workers = () => [classifier.health().pid];
      const killing = killDecoders(random.fork(), kills, workers);
      const odd = Object.keys(ODD);
      for (let n = 0; n < count; n++) {
        const honest = n % 8 === 0 ? callAll(classifier, random, tally, 0) : undefined;
        await Promise.all([
          honest,
          look(ODD[odd[n % odd.length]](classifier, random), odd[n % odd.length], seen),
        ]);
      }
      const killed = await killing;
      await callAll(classifier, random, tally, 0);
      await classifier.close({ drainMs: Infinity });
      end();
      process.off("warning", hear);
      tally.account(ledger);
      ledger.note("what became of the others", JSON.stringify(seen.outcomes));
      ledger.check("errors without a type", seen.untyped.length === 0, seen.untyped.join(" | ") || 0);
      ledger.check(`calls later than ${LATEST_MS / 1000} s`, seen.late === 0, seen.late);
      ledger.note("times that functions of the application threw", thrown);
      ledger.check("kinds of them that were reported", reported.size >= 2, [...reported].join(" | "));
      const timers = warnings.filter((name) => name === "TimeoutOverflowWarning").length;
      ledger.check("timers that overflowed", timers === 0, timers);
      ledger.note("decoder processes killed", killed);
    });
  },
};

/** Kills processes of the decoder, where there are any, beside the calls. */
async function killDecoders(random, kills, workers) {
  if (!CAN_TELL) return 0;
  let killed = 0;
  for (let n = 0; n < kills; n++) {
    await delay(random.integer(20, 400));
    const decoders = children(workers());
    if (decoders.length > 0 && signal(random.pick(decoders), "SIGKILL")) killed += 1;
  }
  return killed;
}

async function look(call, name, seen) {
  const started = performance.now();
  const outcome = await call.then(
    () => "answered",
    (error) => {
      if (!(error instanceof IsotorchError)) seen.untyped.push(`${name}: ${error}`);
      return error?.code ?? "untyped";
    },
  );
  if (performance.now() - started > DEADLINE_MS + LATEST_MS) seen.late += 1;
  const key = `${name}: ${outcome}`;
  seen.outcomes[key] = (seen.outcomes[key] ?? 0) + 1;
}

const one = (classifier, image) => classifier.classify(image, { topK: 1, timeoutMs: DEADLINE_MS });

/** What no honest caller does. */
const ODD = {
  "a deadline beyond all timers": (classifier, random) =>
    classifier.classify(PICTURE, { topK: 1, timeoutMs: random.pick(BEYOND) }),
  "more classes than there are": (classifier) => classifier.classify(PICTURE, { topK: 1_001, timeoutMs: 0 }),
  "aborted somewhere": (classifier, random) => {
    const abort = new AbortController();
    const image = random.pick([PICTURE, arriving(PICTURE, 40)]);
    const call = classifier.classify(image, { topK: 1, signal: abort.signal });
    setTimeout(() => abort.abort(), random.integer(0, 60));
    return call;
  },
  "a stream that never ends": (classifier) =>
    one(classifier, new ReadableStream({ pull: () => delay(1e6, undefined, { ref: false }) })),
  "a stream that fails": (classifier) =>
    one(classifier, new ReadableStream({ pull: (stream) => stream.error(new Error("the network went")) })),
  "a prologue of comments": (classifier, random) =>
    one(classifier, Buffer.from(`<?xml?>${"<!--".repeat(random.integer(200, 250_000))}`)),
  "a PPM of comments": (classifier, random) =>
    one(classifier, Buffer.from(`P6\n${"#\n".repeat(random.integer(100, 500_000))}`)),
  "a GIF of comments": (classifier, random) => one(classifier, commentedGif(random.integer(1_000, 50_000))),
  "noise behind a JPEG's head": (classifier, random) => {
    const bytes = Buffer.alloc(random.integer(4, 100_000));
    for (let at = 0; at < bytes.length; at++) bytes[at] = random.integer(0, 255);
    bytes.set([0xff, 0xd8, 0xff, 0xe0]);
    return one(classifier, bytes);
  },
  "no picture at all": (classifier) => one(classifier, new Uint8Array()),
};

/** A GIF of one pixel behind so many comments. */
function commentedGif(comments) {
  const head = Buffer.from("GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00", "latin1");
  const comment = Buffer.from("!\xfe\x01c\x00", "latin1");
  const picture = Buffer.from(",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;", "latin1");
  return Buffer.concat([head, ...Array.from({ length: comments }, () => comment), picture]);
}
