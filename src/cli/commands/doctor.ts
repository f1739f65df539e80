/** `isotorch doctor` */
import { say } from "../terminal/terminal.ts";
import { attestationText } from "../../classification/attesting.ts";
import { applyFix, described } from "../../doctor/fix.ts";
import { diagnose } from "../../doctor/doctor.ts";
import type { Diagnosis, Problem } from "../../doctor/doctor.ts";
import { abortError, IsotorchError } from "../../base/errors.ts";
import type { ClassifierOptions } from "../../classification/options.ts";
import { confirm } from "../terminal/confirm.ts";
import { classifierOptions, parseFlags } from "../flags/flags.ts";
import { DOCTOR } from "../describe/environment.ts";
import { parserOf } from "../flags/description.ts";
import { EXIT } from "../exit.ts";
import { progressBar } from "../terminal/setup-progress.ts";

/** @returns 0, 3 (environment) or 4 (device). */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = parseFlags(argv, parserOf(DOCTOR));
  const options = classifierOptions(values);
  let diagnosis = await orAborted(diagnose(options), signal);
  if (values["fix"] === true) {
    if (values["json"] !== true) say(text(diagnosis));
    if (await mendAll(diagnosis, options, signal)) diagnosis = await orAborted(diagnose(options), signal);
    if (values["json"] !== true) say(`\n${problemLines(diagnosis).join("\n")}\n`);
  } else if (values["json"] !== true) {
    say(text(diagnosis));
  }
  if (values["json"] === true) say(`${JSON.stringify(diagnosis)}\n`);
  const broken = diagnosis.problems.filter(({ level }) => level === "error").map(({ area }) => area);
  if (broken.includes("environment")) return EXIT.environment;
  return broken.includes("device") ? EXIT.device : EXIT.ok;
}

/** What is only looked at needs no end of its own: it is left where it is. */
async function orAborted<T>(looking: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(abortError(signal));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    void looking.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** @returns whether anything was done. */
async function mendAll(
  diagnosis: Diagnosis,
  options: ClassifierOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const bar = progressBar(process.stderr);
  const write = (line: string): void => {
    bar.clear();
    say(`${line}\n`, process.stderr);
  };
  const done = new Set<string>();
  for (const { sentence, mend, fix } of diagnosis.problems) {
    const what = fix && described(fix, mend);
    if (!fix || !what || done.has(what)) continue;
    // One new environment answers every problem that asks for one.
    if (fix.does === "setup" && [...done].some((other) => other.startsWith("npx isotorch setup"))) continue;
    write(`\n${sentence}\n> ${what}`);
    if (!(await confirm("Do that?", true, signal))) continue;
    done.add(what);
    const report = { say: write, echo: write, onProgress: bar.show, signal };
    try {
      await applyFix(fix, options, report);
    } catch (error) {
      if (!(error instanceof IsotorchError) || error.code === "ABORTED") throw error;
      write(`  ${error.message}\n  ${error.hint}`);
    } finally {
      bar.clear();
    }
  }
  if (done.size === 0) write("\nNothing here can be mended by itself.");
  return done.size > 0;
}

function text(diagnosis: Diagnosis): string {
  const { isotorch, node, candidates, python, attestation, kernel, gpu, checkpoints } = diagnosis;
  const lines = [`isotorch ${isotorch}, Node ${node}`, "", "Python, in the order in which it is looked for:"];
  for (const { path, source, verdict, build } of candidates)
    lines.push(`  ${path} (${source}): ${verdict}${build === null ? "" : ` [${build}]`}`);
  if (python !== null) {
    lines.push("", `Chosen: ${python.path} (${python.reason})`);
    for (const [name, value] of Object.entries(python.facts)) lines.push(`  ${name.padEnd(16)}${value}`);
    if (python.activation.length > 0)
      lines.push(`  ${"activation".padEnd(16)}${python.activation.join(", ")}`);
  }
  if (attestation !== null) lines.push("", attestationText(attestation));
  lines.push(
    "",
    `GPU: ${gpu === null ? "nvidia-smi finds none" : `${gpu.name}, ${gpu.capability}, driver ${gpu.driver}`}`,
  );
  if (kernel !== null)
    lines.push(`Computed on ${kernel.device} (${kernel.name}) in ${kernel.milliseconds} ms`);
  lines.push("", "Checkpoints:");
  for (const { name, path, here } of checkpoints)
    lines.push(`  ${name.padEnd(16)}${here ? "here" : "not here"}  ${path}`);
  return `${[...lines, "", ...problemLines(diagnosis)].join("\n")}\n`;
}

function problemLines({ problems }: Diagnosis): string[] {
  if (problems.length === 0) return ["Nothing is wrong."];
  const lines = ({ sentence, mend, rule, level }: Problem): string[] => [
    `  - ${level === "warning" ? "(warning) " : ""}${sentence} [${rule}]`,
    `    ${mend}`,
  ];
  return ["What is wrong, and how to mend it:", ...problems.flatMap(lines)];
}
