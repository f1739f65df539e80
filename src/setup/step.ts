/** Runs one step of a plan, and tells how far it has come. */
import { type CommandResult, runCommand } from "../python/command.ts";
import { UTF8_FOR_ALL } from "../python/script.ts";
import type { Surroundings } from "../python/surroundings.ts";
import { fetchesIn, type GrowthReader, growthReader } from "./conda/fetches.ts";
import { noteMaking } from "./making.ts";
import type { CondaPlan, Step } from "./plan.ts";
import { mambaReader, type ProgressReader, type SetupProgress } from "./progress.ts";
import type { SetupRequest } from "./request.ts";

/** Between two looks at the caches, and two changes of the time that is shown. */
const TICK_MS = 500;
/** The classic solver of old conda can take minutes for what it then has to do once more. */
const DRY_RUN_MS = 180_000;
/** How the conda family is interrupted: a transaction of some GB takes minutes to be taken back from a slow disk. */
export const ENDING = { politeSignal: "SIGINT", politeMs: 600_000, hearsConsole: true } as const;

/** Runs a step to its end, whatever that is. Rejects with `SETUP_FAILED` where what it is at cannot be noted. */
export function runStep(
  step: Step,
  conda: CondaPlan | undefined,
  request: SetupRequest,
  at: Surroundings,
): Promise<CommandResult> {
  if (!conda) return runPlainly(step, request, at);
  const { kind } = conda.manager;
  return withWaiting(kind, request, () =>
    kind === "conda" ? runConda(step, conda, request, at) : runMamba(step, request, at),
  );
}

function runPlainly(step: Step, { echo, signal }: SetupRequest, at: Surroundings): Promise<CommandResult> {
  return runCommand(step.file, step.args, {
    env: { ...at.environ, ...UTF8_FOR_ALL, ...step.env },
    onLine: echo,
    ...(signal && { signal }),
  });
}

/** mamba and micromamba tell their progress in lines, which are not echoed. */
async function runMamba(step: Step, request: SetupRequest, at: Surroundings): Promise<CommandResult> {
  await using ticker = tickerOf(request);
  const read: ProgressReader = mambaReader();
  return runFamily(step, request, at, (line) => {
    const progress = read(line);
    if (progress) ticker.show(progress);
    else request.echo(line);
  });
}

/** conda tells nothing before its end: its dry run says how much there is to download, its caches how much is there. */
async function runConda(
  step: Step,
  { prefix, verb, caches }: CondaPlan,
  request: SetupRequest,
  at: Surroundings,
): Promise<CommandResult> {
  const dry = await (async () => {
    await using ticker = tickerOf(request);
    ticker.show({ phase: "solving" });
    return withReport((keep) =>
      runFamily({ ...step, args: [...step.args, "--dry-run"] }, request, at, keep, DRY_RUN_MS),
    );
  })();
  if (dry.outcome !== "timed-out" && dry.code !== 0) return dry;
  const fetches = dry.code === 0 ? fetchesIn(dry.stdout) : undefined;
  // What an interruption may leave half unpacked.
  if (fetches) await noteMaking({ prefix, verb, archives: fetches.map(({ file }) => file) }, at);
  await using ticker = tickerOf(request, fetches && growthReader(fetches, caches));
  if (!fetches) ticker.show({ phase: "downloading" });
  const result = await withReport((keep) =>
    runFamily(step, request, at, (line, stream) => {
      // What it prints on stdout is its report, of which a failure is told in a sentence.
      if (stream === "stderr") request.echo(line);
      keep(line, stream);
    }),
  );
  await ticker.look();
  if (result.code === 0) ticker.show({ phase: "done", progress: 100 });
  return result;
}

/** With the whole of stdout: a report can be longer than what is kept of a command, and its beginning is needed. */
async function withReport(
  run: (keep: (line: string, stream: string) => void) => Promise<CommandResult>,
): Promise<CommandResult> {
  const lines: string[] = [];
  const result = await run((line, stream) => void (stream === "stdout" && lines.push(line)));
  return result.outcome === "not-started" ? result : { ...result, stdout: lines.join("\n") };
}

function runFamily(
  step: Step,
  { signal }: SetupRequest,
  at: Surroundings,
  onLine: (line: string, stream: "stdout" | "stderr") => void,
  timeoutMs?: number,
): Promise<CommandResult> {
  return runCommand(step.file, step.args, {
    env: { ...at.environ, ...step.env },
    // What it prints of its own interruption is none of the user's business.
    onLine: (line, stream) => void (signal?.aborted || onLine(line, stream)),
    ...ENDING,
    ...(signal && { signal }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
}

/** Says what is waited for, once it was interrupted. */
async function withWaiting<T>(
  kind: string,
  { say, signal }: SetupRequest,
  work: () => Promise<T>,
): Promise<T> {
  const waiting = (): void => {
    say(`Interrupted. Waiting until ${kind} has put its work away; Ctrl-C again ends it at once.`);
  };
  signal?.addEventListener("abort", waiting, { once: true });
  try {
    return await work();
  } finally {
    signal?.removeEventListener("abort", waiting);
  }
}

interface Ticker extends AsyncDisposable {
  readonly show: (progress: SetupProgress) => void;
  /** Looks at the caches now. */
  readonly look: () => Promise<void>;
}

/** Shows the latest progress again and again, with the time that has passed, until it is disposed of. */
function tickerOf({ onProgress, signal }: SetupRequest, grown?: GrowthReader): Ticker {
  const start = performance.now();
  let latest: SetupProgress | undefined;
  let looking: Promise<void> | undefined;
  const show = (progress: SetupProgress): void => {
    latest = { ...progress, finished: false };
    const seconds = Math.floor((performance.now() - start) / 1000);
    if (!signal?.aborted) onProgress?.({ ...progress, seconds });
  };
  const look = async (): Promise<void> => {
    for (const progress of (await grown?.()) ?? (latest ? [latest] : [])) show(progress);
  };
  const tick = (): void => {
    looking ??= look().finally(() => (looking = undefined));
  };
  const timer = setInterval(tick, TICK_MS);
  return {
    show,
    look: async () => {
      await looking;
      await look();
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await looking;
    },
  };
}
