// Breaks what can break, under load, and prints the ledger: what was promised and whether it held.
//
//   npm run chaos [-- NAME … --minutes N --count N --seed S --only NAME,NAME --short]
//
// The seed is printed first; the same seed repeats the schedule of faults. Without --short the figures are those of
// docs/reliability.md, about a quarter of an hour. Exits with 1 when a line of the ledger is broken.
import { parseArgs } from "node:util";
import { checkpoints } from "./chaos/checkpoints.mjs";
import { closes } from "./chaos/closes.mjs";
import { controllers } from "./chaos/controllers.mjs";
import { guests } from "./chaos/guests.mjs";
import { killsReal } from "./chaos/kills-real.mjs";
import { kills } from "./chaos/kills.mjs";
import { leak } from "./chaos/leak.mjs";
import { Ledger } from "./chaos/ledger.mjs";
import { messages } from "./chaos/messages.mjs";
import { outside } from "./chaos/outside.mjs";
import { overload } from "./chaos/overload.mjs";
import { pictures } from "./chaos/pictures.mjs";
import { Random } from "./chaos/random.mjs";
import { reloads } from "./chaos/reloads.mjs";
import { storm } from "./chaos/storm.mjs";
import { texts } from "./chaos/texts.mjs";

const EXPERIMENTS = [
  storm,
  kills,
  killsReal,
  controllers,
  overload,
  leak,
  messages,
  pictures,
  checkpoints,
  closes,
  reloads,
  outside,
  guests,
  texts,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string" },
    /** How many closes, reloads or kills. */
    count: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    only: { type: "string", multiple: true },
    short: { type: "boolean", default: false },
    /** Overrides one number of the experiments: --set kills=50. */
    set: { type: "string", multiple: true, default: [] },
  },
});
const asked = [...positionals, ...(values.only ?? []).flatMap((text) => text.split(","))];
const names = asked.length > 0 ? asked : EXPERIMENTS.map(({ name }) => name);
const unknown = names.find((name) => !EXPERIMENTS.some((experiment) => experiment.name === name));
if (unknown !== undefined) {
  console.error(`no experiment ${unknown}; there are ${EXPERIMENTS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
const seed = Number(values.seed);
if (!Number.isSafeInteger(seed)) {
  console.error(`--seed: expected an integer, received ${values.seed}`);
  process.exit(2);
}
const changes = Object.fromEntries(
  values.set.map((text) => [text.split("=")[0], Number(text.split("=")[1])]),
);
if (values.minutes !== undefined) changes.minutes = Number(values.minutes);
if (values.count !== undefined) changes.count = Number(values.count);

console.log(`seed ${seed}`);
let broken = 0;
for (const [index, experiment] of EXPERIMENTS.entries()) {
  if (!names.includes(experiment.name)) continue;
  const ledger = new Ledger();
  const started = performance.now();
  const options = { ...(values.short ? experiment.short : experiment.full), ...changes };
  try {
    await experiment.run(ledger, new Random(seed + index * 1_000_003), options);
  } catch (error) {
    ledger.check("the experiment ran to its end", false, error?.stack ?? error);
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  ledger.print(`${experiment.name}: ${experiment.what} (${seconds} s)`);
  broken += ledger.broken;
}
console.log(
  broken === 0 ? "\nEvery line of the ledger holds." : `\n${broken} broken. Repeat with --seed ${seed}`,
);
process.exitCode = broken === 0 ? 0 : 1;
