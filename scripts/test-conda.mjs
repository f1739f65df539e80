// `npm run test:conda`: setup, doctor and classify with real conda of several ages, from a local channel that is
// served slowly. It needs conda's source; without it, it is skipped and says so. Words after `--` choose parts of it:
// `npm run test:conda -- made interrupted terms`.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build, lacking, VERSIONS, WITH_TERMS } from "./conda/build.mjs";
import * as steps from "./conda/steps.mjs";
import { condaUser } from "./conda/user.mjs";

const reason = lacking();
if (reason !== undefined) {
  process.stdout.write(`SKIPPED: test:conda (${reason})\n`);
  process.exit(0);
}
const checkout = resolve(import.meta.dirname, "..");
execFileSync(process.execPath, [join(checkout, "scripts/build.mjs")], { stdio: "inherit" });
const { cache, channels, roots, python } = build((what) => process.stderr.write(`> ${what}\n`));
const [log, rateFile] = [join(cache, "served.log"), join(cache, "rate")];
const setRate = (rate) => writeFileSync(rateFile, String(rate));
setRate(0);
writeFileSync(log, "");
const server = spawn(python, [join(checkout, "scripts/conda/serve.py"), channels, rateFile], {
  stdio: ["ignore", "pipe", openSync(log, "a")],
});
process.once("exit", () => server.kill());
const port = await new Promise((answer) => server.stdout.once("data", (data) => answer(Number(data))));
const url = `http://127.0.0.1:${port}`;

/** Bytes per second: 20 s for the whole. */
const SLOW = 40e6;
const started = performance.now();
const parts = process.argv.slice(2);
const isWanted = (part) => parts.length === 0 || parts.includes(part);
for (const [version] of isWanted("made") ? VERSIONS : []) {
  const user = newUser(version, version, mirrored(version));
  const check = checker(`conda ${version}`);
  setRate(SLOW);
  steps.solvesAsWritten(user, check);
  steps.makesAndUpdates(user, check);
}
for (const version of isWanted("interrupted") ? ["26.7.1", "4.12.0"] : []) {
  const user = newUser(version, version, [`channel_alias: ${url}`]);
  const bytesSent = (name) => {
    const sent = steps.bytesIn(log, name);
    truncateSync(log);
    return sent;
  };
  truncateSync(log);
  // Old conda begins an archive anew.
  const served = { bytesSent, setRate, fetchesTheRest: version !== "4.12.0" };
  steps.isInterruptedAndResumes(user, checker(`conda ${version}, interrupted`), served);
}
if (isWanted("terms") && roots.terms) {
  const check = checker(`conda ${WITH_TERMS}, terms not accepted`);
  steps.knowsTerms(newUser("terms", WITH_TERMS, [`channel_alias: ${url}`]), check);
  const mirror = `custom_channels: {pytorch: "${url}", conda-forge: "${url}/terms"}`;
  steps.tellsTerms(newUser("terms", WITH_TERMS, [mirror]), check);
} else if (isWanted("terms")) {
  const how =
    "git clone https://github.com/anaconda/conda-anaconda-tos, then ISOTORCH_CONDA_TERMS_GIT=/path/to/it";
  process.stdout.write(
    `SKIPPED: conda ${WITH_TERMS}, terms not accepted (the plugin's source is not here: ${how})\n`,
  );
}
server.kill();
process.stdout.write(`test:conda passed in ${Math.round((performance.now() - started) / 1000)} s\n`);

/** Half of the versions reach the channels by an alias, half by mirrors, as in China; nothing else can be reached. */
function mirrored(version) {
  const isMirror = ["4.12.0", "26.7.1"].includes(version);
  if (!isMirror) return [`channel_alias: ${url}`];
  return ["channel_alias: http://127.0.0.1:9", `custom_channels: {pytorch: "${url}", conda-forge: "${url}"}`];
}

function newUser(name, version, channelLines) {
  const home = join(cache, "home");
  mkdirSync(home, { recursive: true });
  const solver = { 23: "solver: classic", 26: "solver: rattler" }[version.split(".")[0]];
  const condarc = [...channelLines, `default_channels: ["${url}/pkgs/main"]`, "channels: [defaults]"];
  const more = ["notify_outdated_conda: false", ...(solver ? [solver] : [])];
  return condaUser({ home, root: roots[name], condarc: [...condarc, ...more], python });
}

/** Tells each step in a line, and ends at the first that fails with all that was shown. */
function checker(who) {
  let last = performance.now();
  return (what, holds, result) => {
    const seconds = ((performance.now() - last) / 1000).toFixed(0);
    last = performance.now();
    process.stdout.write(`${holds ? "ok    " : "FAILED"}  ${who}: ${what} (${seconds} s)\n`);
    if (holds) return;
    process.stderr.write(`${result.shown}\n`);
    process.exit(1);
  };
}
