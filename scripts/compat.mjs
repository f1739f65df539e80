// `npm run compat [-- --only NAME]`: the worker's tests and the parity ladder under old and new PyTorch.
//
//   --only NAME     this environment alone; may be given several times
//   --also PYTHON   an interpreter of yours beside them, with PyTorch, what the worker needs, and pytest; may be repeated
//   --check NAME    this check alone; may be given several times: attested, tests, plain, tutorial, ladder, against
//   --keep DIR      keep what was found out in DIR, and do not find out again what is there: for a run in pieces
//   --write         put the tables into docs/compatibility.md
//   --venvs DIR     where the environments are; default $XDG_CACHE_HOME/isotorch/compat, else ~/.cache/isotorch/compat
//
// The distribution's own Python is used where it has PyTorch, and left out where it has none. The others are made from
// PyPI the first time. Needs what `npm run build` makes. Exit codes: 0; 1 when a test
// failed or a bit differed inside an environment (between two of them bits may differ, and the table says how many);
// 2 usage; 3 when an environment cannot be made or does not work.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CHECKS } from "./compat/checks.mjs";
import { ENVIRONMENTS, made, versionsOf } from "./compat/environments.mjs";
import { Kept } from "./compat/kept.mjs";
import { MAIN, Stop, tell } from "./compat/run.mjs";
import { tables } from "./compat/tables.mjs";

const PAGE = "docs/compatibility.md";
process.chdir(fileURLToPath(new URL("..", import.meta.url)));

try {
  process.exitCode = main(readOptions());
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  process.stderr.write(`compat: ${error.message}\n`);
  process.exitCode = error.code;
}

function main(options) {
  const environments = [
    ...options.environments.map((environment) => made(environment, options.venvs)).filter(Boolean),
    ...options.also.map((python) => ({ name: python, python: resolve(python) })),
  ].map((environment) => ({ ...environment, versions: versionsOf(environment) }));
  if (environments.length === 0) throw new Stop("There is no environment left to look at.");

  const folder = options.keep ?? mkdtempSync(join(tmpdir(), "isotorch-compat-"));
  mkdirSync(folder, { recursive: true });
  try {
    const kept = new Kept(folder);
    const rows = environments.map((environment) => {
      const found = options.checks.map((check) => {
        const find = () => {
          tell(`${environment.name}: ${check}`);
          return CHECKS[check](environment, environments, folder);
        };
        return [check, kept.or(`${environment.name} ${check}`, find)];
      });
      return { ...environment, ...Object.fromEntries(found) };
    });
    const text = tables(rows);
    process.stdout.write(`${text}\n`);
    if (options.write) write(text);
    return rows.every((row) => options.checks.every((check) => row[check].ok)) ? 0 : 1;
  } finally {
    if (options.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** The tables into the page, between its two marks. */
function write(text) {
  const [begin, end] = ["<!-- compat: begin -->", "<!-- compat: end -->"];
  const page = readFileSync(PAGE, "utf8");
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Stop(`${PAGE} has no ${begin} and ${end}.`);
  writeFileSync(PAGE, `${page.slice(0, from)}${begin}\n\n${text}\n${page.slice(to)}`);
  tell(`written to ${PAGE}`);
}

function readOptions() {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const { only, also = [], check, keep, write: isWritten = false, venvs } = parsed();
  const names = ENVIRONMENTS.map(({ name }) => name);
  if (!existsSync(MAIN)) throw new Stop("There is no dist/. Run `npm run build` first.", 2);
  const chosen = known("--only", only, names);
  return {
    environments: ENVIRONMENTS.filter(({ name }) => chosen.includes(name)),
    also,
    checks: known("--check", check, Object.keys(CHECKS)),
    keep: keep === undefined ? undefined : resolve(keep),
    write: isWritten,
    venvs: resolve(venvs ?? join(cache, "isotorch", "compat")),
  };
}

function parsed() {
  const text = { type: "string" };
  const many = { type: "string", multiple: true };
  const options = {
    only: many,
    also: many,
    check: many,
    keep: text,
    write: { type: "boolean" },
    venvs: text,
  };
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new Stop(error.message, 2);
  }
}

function known(flag, given, names) {
  const unknown = given?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Stop(`${flag} knows ${names.join(", ")}, not ${unknown}.`, 2);
  return given === undefined ? names : names.filter((name) => given.includes(name));
}
