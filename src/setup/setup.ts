import { IsotorchError } from "../base/errors.ts";
import { type Environment, findEnvironment, listCandidates } from "../python/environment.ts";
import { recordFile, writeRecord } from "../python/recorded.ts";
import { forgetUsed } from "../python/used.ts";
import { chooseBlas } from "./blas.ts";
import { isUnreachable, stepFailure } from "./failure.ts";
import { removeHalfMade } from "./conda/conda.ts";
import { removeBroken } from "./heal.ts";
import { forgetMaking, noteMaking, onlySetup, readMaking } from "./making.ts";
import type { Machine } from "./machine.ts";
import { type Plan, typed, type Way } from "./plan.ts";
import type { SetupRequest } from "./request.ts";
import { runStep } from "./step.ts";
import { makePlan } from "./ways.ts";

/** What `setup` did, or with `dryRun` would do. */
export interface SetupResult {
  readonly via: Way | "found";
  readonly commands: readonly string[];
  /** `null` only for a dry run that would make one. */
  readonly environment: Environment | null;
  /** The file that now records it; `null` for a dry run. */
  readonly record: string | null;
}

/**
 * Finds a Python environment or makes one, probes it, and records it for every later run. Says what it will do
 * before it does it. Rejects with `SETUP_FAILED`, `INVALID_OPTION` or `ABORTED`.
 */
export async function setup(request: SetupRequest, machine: Machine): Promise<SetupResult> {
  const { via, python, variant, dryRun, say } = request;
  const found = via === undefined && variant === undefined ? await alreadyThere(request, machine) : undefined;
  if (found) {
    say(`Found a fitting environment: ${describe(found)}`);
    return finish("found", [], found, request, machine);
  }
  const asked = { ...(via && { via }), ...(python !== undefined && { python }), ...(variant && { variant }) };
  const plan = await makePlan(asked, machine);
  const commands = plan.steps.map(typed);
  say(`${announcement(plan, dryRun === true)} via ${plan.via} (${plan.why}):`);
  const half = plan.conda?.removes;
  if (half !== undefined)
    say(`  remove ${half}, which an interrupted setup left half made; its downloads are kept`);
  for (const command of commands) say(`  ${command}`);
  if (plan.via === "apt") say("  and the quickest BLAS library, by timing a product with each");
  if (dryRun) return { via: plan.via, commands, environment: null, record: null };

  await carryOut(plan, request, machine);
  const environment = await probeResult(plan, machine);
  if (plan.via === "apt") await chooseBlas(environment.python, request, machine);
  await forgetMaking(machine.at);
  const done = plan.conda?.verb === "update" ? "Updated the" : "Made a fitting";
  say(`${done} environment: ${describe(environment)}`);
  return finish(plan.via, commands, environment, request, machine);
}

/** What would be chosen anyhow, or the named interpreter if it fits. An environment that is only named is left alone. */
async function alreadyThere(
  { python, say }: SetupRequest,
  { at }: Machine,
): Promise<Environment | undefined> {
  const candidates = await listCandidates({ at, anew: true, ...(python !== undefined && { python }) });
  for (const { kind, python: path, ...rest } of candidates) {
    if (kind === "recorded" && !rest.accepted)
      say(`The recorded environment is no longer fit: ${path} (${rest.reason}). Choosing again:`);
  }
  return candidates.find((candidate) => candidate.accepted)?.environment;
}

async function carryOut(plan: Plan, request: SetupRequest, { at }: Machine): Promise<void> {
  const lock = await onlySetup(at);
  try {
    const { conda } = plan;
    if (conda?.removes !== undefined) await removeHalfMade(conda.removes);
    if (conda) {
      const { prefix, verb } = conda;
      const archives = (await readMaking(at))?.archives ?? [];
      for (const name of await removeBroken(archives, conda.caches))
        request.say(`  removed ${name} from the cache, which an interrupted setup left half unpacked`);
      await noteMaking({ prefix, verb, archives }, at);
    }
    let wasUnreachable = false;
    for (const step of plan.steps) {
      const result = await runStep(step, plan.conda, request, at);
      if (result.outcome === "aborted") throw interrupted(plan);
      wasUnreachable ||= isUnreachable(result);
      if (result.code !== 0 && !step.mayFail) throw stepFailure(plan.via, step, result, wasUnreachable);
    }
  } finally {
    await lock.release();
  }
}

function announcement({ conda }: Plan, isDry: boolean): string {
  if (conda?.verb === "update")
    return `${isDry ? "Would update" : "Updating"} the environment ${conda.prefix}`;
  return `${isDry ? "Would make" : "Making"} an environment`;
}

function interrupted({ via, conda }: Plan): IsotorchError {
  const kept = conda ? " What was downloaded is kept; the next setup goes on from there." : "";
  return new IsotorchError("ABORTED", `The setup was interrupted; nothing was recorded.${kept}`, {
    hint: `Start it again with: isotorch setup --via ${via}${conda ? ` --variant ${conda.variant}` : ""}`,
  });
}

async function probeResult(plan: Plan, { at }: Machine): Promise<Environment> {
  const { python } = plan;
  try {
    return await findEnvironment({ python, at, anew: true });
  } catch (cause) {
    if (!(cause instanceof IsotorchError)) throw cause;
    throw new IsotorchError("SETUP_FAILED", `The new environment does not fit. ${cause.message}`, {
      hint: `Try another way: isotorch setup --via ${plan.via === "venv" ? "conda" : "venv"}`,
      cause,
    });
  }
}

async function finish(
  via: SetupResult["via"],
  commands: readonly string[],
  environment: Environment,
  { dryRun, say }: SetupRequest,
  { at }: Machine,
): Promise<SetupResult> {
  const file = recordFile(at);
  if (dryRun) {
    say(`Would record it in ${file}`);
    return { via, commands, environment, record: null };
  }
  const isRecorded = via === "found" && environment.kind === "recorded";
  if (!isRecorded) await writeRecord({ python: environment.python, prefix: environment.prefix, via }, at);
  // What was used before this choice no longer counts.
  await forgetUsed(at);
  say(isRecorded ? `It is recorded already, in ${file}` : `Recorded it in ${file}`);
  return { via, commands, environment, record: file };
}

function describe({ python, versions }: Environment): string {
  const name = (key: string): string => `${key} ${versions[key] ?? "?"}`;
  return `${python} (Python ${versions["python"] ?? "?"}, ${name("torch")}, ${name("torchvision")})`;
}
