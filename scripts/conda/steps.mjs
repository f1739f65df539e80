// What is checked with each conda.
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

const CHECKOUT = resolve(import.meta.dirname, "../..");
const PICTURE = join(CHECKOUT, "examples/images/balloons.jpg");
const SETUP = ["setup", "--via", "conda", "--variant", "cu113"];
const TORCH = "pytorch-1.12.1-";

/** The environment files are read by conda itself, as people give them to it. */
export function solvesAsWritten(user, check) {
  for (const file of ["env.yml", "env.cpu.yml", "env.cuda.yml"]) {
    const result = user.conda("env", "create", "--dry-run", "--name", "x", "--file", join(CHECKOUT, file));
    check(`solves ${file} as written`, result.status === 0, result);
  }
}

/** From nothing to an answer, with a bar that moves; then once more, as an update. */
export function makesAndUpdates(user, check) {
  const made = user.onTerminal("never", SETUP);
  check("setup makes the environment", made.status === 0 && existsSync(user.prefix), made);
  const percents = [...made.shown.matchAll(/ (\d+) %/g)].map(([, percent]) => Number(percent));
  const isRising = percents.every((percent, place) => place === 0 || percent >= percents[place - 1]);
  const between = new Set(percents.filter((percent) => percent > 0 && percent < 80));
  // How many there are is the machine's affair; a bar that jumps from nothing to all has none.
  check(`the bar moves: ${between.size} places in the download`, between.size >= 3 && isRising, made);
  const updated = user.isotorch(...SETUP);
  check("setup again updates it", updated.status === 0 && updated.stdout.startsWith("Updating "), updated);
  answers(user, check);
}

/** `doctor` finds nothing wrong but the missing weights, and a picture is classified. */
export function answers(user, check) {
  const doctor = user.isotorch("doctor", "--weights", "untrained:0");
  check(
    "doctor finds it fit",
    doctor.status === 0 && doctor.stdout.includes(`Chosen: ${user.prefix}/`),
    doctor,
  );
  const classified = user.isotorch("classify", PICTURE, "--weights", "untrained:0", "--json");
  check("classify answers", classified.status === 0 && classified.stdout.includes('"label"'), classified);
}

/** Ctrl-C at several moments of one setup: each time it ends politely, and in the end there is an environment. */
export function isInterruptedAndResumes(user, check, { bytesSent, setRate, fetchesTheRest }) {
  setRate(40e6);
  interrupt("in the download", `downloading ${TORCH.slice(0, -1)}`);
  check("keeps what was downloaded", user.packages(TORCH).length > 0, { shown: user.packages("").join(" ") });
  const before = bytesSent(TORCH);
  setRate(0);
  interrupt("while it extracts", "extracting");
  const sent = before + bytesSent(TORCH);
  const isOnce = !fetchesTheRest || sent < 1.1 * archiveBytes();
  check(`${(sent / 1e6).toFixed(0)} MB of PyTorch were fetched`, isOnce, {
    shown: `of ${archiveBytes()} bytes`,
  });
  interrupt("while it links", user.prefix);
  // Where the Ctrl-C came too late for conda to take anything back.
  rmSync(user.prefix, { recursive: true, force: true });
  interrupt("while it links, twice", user.prefix, { again: true });
  bytesSent(TORCH);
  const made = user.isotorch(...SETUP);
  check("setup goes on from there", made.status === 0, made);
  check("downloads nothing that was there", bytesSent(TORCH) === 0, made);
  answers(user, check);

  function archiveBytes() {
    const archive = user.packages(TORCH).find((name) => name.endsWith(".conda"));
    return statSync(join(user.caches, archive)).size;
  }

  function interrupt(moment, when, options = {}) {
    const result = user.onTerminal(when, SETUP, options);
    const isPolite = result.status === 130 && !result.shown.includes("Traceback");
    check(
      `Ctrl-C ${moment} ends it without a traceback`,
      isPolite && result.shown.includes("Interrupted."),
      result,
    );
  }
}

/** Channels whose terms nobody accepted: ours are not among them, and where they are, what helps is told. */
export function knowsTerms(user, check) {
  const plain = user.conda("create", "--dry-run", "--yes", "--name", "x", "python=3.10");
  check(
    "conda by itself asks for the terms",
    plain.status !== 0 && plain.shown.includes("conda tos accept"),
    plain,
  );
  makesAndUpdates(user, check);
}

/** A mirror of conda-forge that has terms of its own. */
export function tellsTerms(user, check) {
  const result = user.isotorch(...SETUP);
  const isTold = /conda tos accept .*--channel \S+\/terms\/conda-forge/.test(result.stderr);
  check("a failure for terms names the command that accepts them", result.status !== 0 && isTold, result);
}

/** Bytes of the files of such a name that a server's log tells. */
export function bytesIn(log, name) {
  const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n") : [];
  return lines
    .filter((line) => line.includes(`/${name}`))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}
