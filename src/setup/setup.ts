import { IsotorchError } from "../errors.ts";
import { runCommand } from "../worker/command.ts";
import { condaPython } from "../worker/conda.ts";
import { type Environment, findEnvironment, listCandidates } from "../worker/environment.ts";
import { recordFile, writeRecord } from "../worker/recorded.ts";
import { isUnreachable, stepFailure } from "./failure.ts";
import { condaEnvironment, type Machine, makePlan, type Plan, typed, type Way } from "./plan.ts";

/** What `setup` is asked to do, and where it tells what it does. */
export interface SetupRequest {
  readonly via?: Way;
  /** An interpreter: used as it is where it fits, else the base of a virtual environment. */
  readonly python?: string;
  readonly dryRun?: boolean;
  /** What is said to the user, one line each. */
  readonly say: (line: string) => void;
  /** What the tools print, one line each. */
  readonly echo: (line: string) => void;
  readonly signal?: AbortSignal;
}

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
  const { via, python, dryRun, say } = request;
  const found = via === undefined ? await alreadyThere(python, machine) : undefined;
  if (found) {
    say(`Found a fitting environment: ${describe(found)}`);
    return finish("found", [], found, request, machine);
  }
  const plan = await makePlan({ ...(via && { via }), ...(python !== undefined && { python }) }, machine);
  const commands = plan.steps.map(typed);
  say(`${dryRun ? "Would make" : "Making"} an environment via ${plan.via} (${plan.why}):`);
  for (const command of commands) say(`  ${command}`);
  if (dryRun) return { via: plan.via, commands, environment: null, record: null };

  await carryOut(plan, request, machine);
  const environment = await probeResult(plan, machine);
  say(`Made a fitting environment: ${describe(environment)}`);
  return finish(plan.via, commands, environment, request, machine);
}

/** What would be chosen anyhow, or the named interpreter if it fits. An environment that is only named is left alone. */
async function alreadyThere(python: string | undefined, { at }: Machine): Promise<Environment | undefined> {
  const candidates = await listCandidates({ at, anew: true, ...(python !== undefined && { python }) });
  return candidates.find((candidate) => candidate.accepted)?.environment;
}

async function carryOut(plan: Plan, request: SetupRequest, { at }: Machine): Promise<void> {
  let wasUnreachable = false;
  for (const step of plan.steps) {
    const result = await runCommand(step.file, step.args, {
      env: { ...at.environ, ...step.env },
      onLine: request.echo,
      ...(request.signal && { signal: request.signal }),
    });
    if (result.outcome === "aborted") {
      throw new IsotorchError("ABORTED", "The setup was interrupted; nothing was recorded.", {
        hint: `Start it again with: isotorch setup --via ${plan.via}`,
      });
    }
    wasUnreachable ||= isUnreachable(result);
    if (result.code !== 0 && !step.mayFail) throw stepFailure(plan.via, step, result, wasUnreachable);
  }
}

async function probeResult(plan: Plan, { at }: Machine): Promise<Environment> {
  const tool = plan.steps[0]?.file ?? "";
  const prefix = plan.python === undefined ? await condaEnvironment(tool, at) : undefined;
  const python = plan.python ?? (prefix && condaPython(prefix, at));
  if (!python) {
    throw new IsotorchError(
      "SETUP_FAILED",
      `${tool} ended well, but it does not list the environment that it made.`,
      {
        hint: `Look for it with \`${tool} env list\`, then: isotorch setup --python PREFIX/bin/python`,
      },
    );
  }
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
  if (via === "found" && environment.kind === "recorded") {
    say(`It is recorded already, in ${file}`);
    return { via, commands, environment, record: file };
  }
  await writeRecord({ python: environment.python, prefix: environment.prefix, via }, at);
  say(`Recorded it in ${file}`);
  return { via, commands, environment, record: file };
}

function describe({ python, versions }: Environment): string {
  const name = (key: string): string => `${key} ${versions[key] ?? "?"}`;
  return `${python} (Python ${versions["python"] ?? "?"}, ${name("torch")}, ${name("torchvision")})`;
}
