/** Which BLAS library the distribution's PyTorch multiplies matrices with: the quickest that is there, by measurement. */
import { basename, dirname } from "node:path";
import { IsotorchError } from "../base/errors.ts";
import { printedRecord } from "../python/answer.ts";
import { whichCommand } from "../python/candidates.ts";
import { type CommandResult, runCommand } from "../python/command.ts";
import { scriptArguments, WORKER_SCRIPT } from "../python/script.ts";
import type { Machine } from "./machine.ts";
import { typed } from "./plan.ts";
import type { SetupRequest } from "./request.ts";

/** The package of the quick one. */
export const QUICK_BLAS = "libopenblas0-pthread";
/** What Debian's alternatives call it, on a machine of one architecture or of several. */
const GROUP = /^libblas\.so\.3(?:-\S+)?$/;
/** A line of `update-alternatives --get-selections`; a path may have blanks. */
const SELECTION = /^(\S+)\s+(\S+)\s+(\S.*)$/;
/** A difference that a busy machine can make is no reason to change the bits of answers. */
const MARGIN = 1.2;
const ROUNDS = 2;
const TIMEOUT_MS = 120_000;

/** The libraries between which Debian's alternatives choose. */
interface Alternatives {
  readonly command: string;
  readonly group: string;
  readonly current: string;
  readonly isByHand: boolean;
  readonly files: readonly string[];
}

/**
 * Times a product of matrices with each library, and takes the quickest where it is clearly quicker than what is taken now
 * and its product is right. What was set before stays. Says what came out, also why nothing could be chosen.
 *
 * Rejects with `ABORTED`.
 */
export async function chooseBlas(python: string, request: SetupRequest, machine: Machine): Promise<void> {
  const { say } = request;
  const found = await readAlternatives(request, machine);
  if (typeof found === "string") return say(`The BLAS library stays as it is: ${found}.`);
  const { command, group, current, files, isByHand } = found;
  if (isByHand)
    return say(
      `The BLAS library is ${nameOf(current)}, which was set before: it stays. To let setup choose: ` +
        typed({ file: command, args: ["--auto", group] }),
    );
  const speeds = await timed(files, python, request, machine);
  const [quickest] = [...speeds.keys()].toSorted((a, b) => (speeds.get(b) ?? 0) - (speeds.get(a) ?? 0));
  if (quickest === undefined) return say("The BLAS library stays as it is: none could be timed.");
  const told = [...speeds].map(([file, gflops]) => `${nameOf(file)} ${gflops} GFLOP/s`);
  say(`BLAS, a product of 256 x 256 matrices: ${told.join(", ")}`);
  const isBetter = (speeds.get(quickest) ?? 0) > MARGIN * (speeds.get(current) ?? 0);
  const chosen = quickest !== current && isBetter ? quickest : current;
  if (chosen !== current) {
    const set = { file: command, args: ["--set", group, chosen] };
    say(`  ${typed(set)}`);
    const { code } = await runAt(set.file, set.args, request, machine);
    if (code !== 0) return say(`The BLAS library stays as it is: update-alternatives ended with ${code}.`);
  }
  const other = files.find((file) => file !== chosen);
  say(
    `PyTorch multiplies matrices with ${nameOf(chosen)}. The last bits of answers change with the library` +
      (other === undefined
        ? "."
        : `; another one: ${typed({ file: command, args: ["--set", group, other] })}`),
  );
}

/** The choice that there is, or why there is none: a clause. */
async function readAlternatives(request: SetupRequest, machine: Machine): Promise<Alternatives | string> {
  const command = await whichCommand("update-alternatives", machine.at);
  if (!command) return "update-alternatives is not on the PATH";
  const selections = await runAt(command, ["--get-selections"], request, machine);
  const rows = selections.stdout.split("\n").flatMap((line) => {
    const [, group = "", status = "", current = ""] = SELECTION.exec(line) ?? [];
    return GROUP.test(group) ? [{ group, current, isByHand: status === "manual" }] : [];
  });
  const [selected, another] = rows;
  if (selected === undefined) return "update-alternatives knows none";
  if (another !== undefined) return "there are libraries of several architectures";
  const { stdout } = await runAt(command, ["--list", selected.group], request, machine);
  const files = stdout.split("\n").filter(Boolean);
  return { ...selected, command, files };
}

/** GFLOP/s of each file that was really loaded, and that multiplies rightly; it says which are not. */
async function timed(
  files: readonly string[],
  python: string,
  request: SetupRequest,
  machine: Machine,
): Promise<Map<string, number>> {
  const speeds = new Map<string, number>();
  const wrong = new Map<string, string>();
  // In turns: what else the machine does costs all of them the same.
  for (const file of Array.from({ length: ROUNDS }, () => files).flat()) {
    if (wrong.has(file)) continue;
    const judged = await judge(file, python, request, machine);
    if (typeof judged === "number") speeds.set(file, Math.max(judged, speeds.get(file) ?? 0));
    else wrong.set(file, judged);
  }
  for (const [file, why] of wrong) {
    speeds.delete(file);
    request.say(`BLAS: ${nameOf(file)} is left out: ${why}`);
  }
  return speeds;
}

/** GFLOP/s, or why the library is not one to take. */
async function judge(
  file: string,
  python: string,
  request: SetupRequest,
  machine: Machine,
): Promise<number | string> {
  const args = scriptArguments(WORKER_SCRIPT, "probe", "--product");
  const { code, outcome, bytes } = await runAt(python, args, request, machine, {
    LD_LIBRARY_PATH: dirname(file),
  });
  const { blas, isRight, gflops } = printedRecord(bytes).record ?? {};
  if (code !== 0 || typeof gflops !== "number")
    return `its product ended with ${outcome === "exited" ? (code ?? "a signal") : outcome}`;
  if (!String(blas).includes(nameOf(file))) return `PyTorch loads ${String(blas)} in its place`;
  return isRight === true ? gflops : "its product is wrong";
}

async function runAt(
  file: string,
  args: readonly string[],
  { signal }: SetupRequest,
  { at }: Machine,
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const options = { env: { ...at.environ, ...env }, timeoutMs: TIMEOUT_MS, ...(signal && { signal }) };
  const result = await runCommand(file, [...args], options);
  if (result.outcome !== "aborted") return result;
  throw new IsotorchError("ABORTED", "The setup was interrupted; nothing was recorded.", {
    hint: "Start it again with: isotorch setup --via apt",
  });
}

/** Its last folder and its name, as `versions.blas` has them: `openblas-pthread/libblas.so.3`. */
function nameOf(file: string): string {
  return `${basename(dirname(file))}/${basename(file)}`;
}
