// `npm run bench [-- NAME… --json FILE --html FILE --quick]`: each case in turn against its rival.
import { existsSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { CASES, picturesOf } from "./cases.mjs";
import { path, startOurs, startPlain } from "./lib/competitors.mjs";
import { describeMachine, loadNow } from "./lib/machine.mjs";
import { toHtml } from "./lib/page.mjs";
import { cacheFolder } from "./lib/pictures.mjs";
import { installRivals } from "./lib/rivals.mjs";
import { toJson, toText } from "./lib/rows.mjs";

const HELP = `npm run bench [-- NAME…] [--json FILE] [--html FILE] [--quick]

  NAME     of ${Object.keys(CASES).join(", ")} (default: all)
  --json   the figures as JSON
  --html   the figures as one HTML page with plots
  --quick  fewer rounds and pictures: to see that it runs

Exit code: 0 every case was measured, 1 some case failed or its rival is not there, 2 usage, 3 isotorch or the plain
script could not be started. Goals that are missed show in the table, not here.
`;
const say = (line) => process.stderr.write(`> ${line}\n`);

process.exitCode = await main();

async function main() {
  const { values, names, fault } = flags();
  if (fault !== undefined || values.help) {
    (values.help ? process.stdout : process.stderr).write(values.help ? HELP : `${fault}\n\n${HELP}`);
    return values.help ? 0 : 2;
  }
  if (!existsSync(path("../dist/index.js"))) {
    process.stderr.write("isotorch is not compiled: run `npm run build` first.\n");
    return 3;
  }
  const load = loadNow();
  const options = { weights: "untrained:0", cacheDir: cacheFolder(), device: "cpu" };
  const bench = { quick: values.quick, options, pictures: picturesOf(values.quick), ort: {} };
  let python;
  try {
    ({ python, info: bench.info } = await introduce(options));
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return 3;
  }
  if (names.includes("fused")) bench.ort = installRivals();

  const rows = [];
  let failures = bench.ort.reason === undefined ? 0 : 1;
  if (bench.ort.reason !== undefined) say(`${bench.ort.reason}: its cases are skipped`);
  for (const name of names) {
    say(`${name} (load ${loadNow().toFixed(1)})`);
    try {
      rows.push(...(await CASES[name](bench)));
    } catch (error) {
      failures += 1;
      say(`${name} failed: ${error.message}`);
    }
  }

  const command = ["npm run bench --", ...process.argv.slice(2)].join(" ");
  const machine = describeMachine({ load, python, info: bench.info, ort: bench.ort.version, command });
  process.stdout.write(`\n${toText(machine, rows)}`);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify(toJson(machine, rows), undefined, 2)}\n`);
  if (values.html !== undefined) writeFileSync(values.html, toHtml(machine, rows));
  return failures === 0 ? 0 : 1;
}

function flags() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: "string" },
        html: { type: "string" },
        quick: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return { values: {}, fault: error.message };
  }
  const { values, positionals } = parsed;
  const unknown = positionals.find((name) => !Object.hasOwn(CASES, name));
  if (unknown !== undefined) return { values, fault: `There is no case "${unknown}".` };
  return { values, names: positionals.length > 0 ? positionals : Object.keys(CASES) };
}

/** Starts both once: makes the checkpoint where it is not yet, and hears the versions. */
async function introduce(options) {
  const ours = await startOurs(options);
  await ours.close();
  const plain = await startPlain(ours);
  await plain.close();
  return { python: plain.python, info: ours.info };
}
