/**
 * What interpreters said when they were last asked, so that a start need not start Python to ask again. An answer
 * counts while nothing that it depends on has changed; it is asked for again otherwise.
 */
import { statSync } from "node:fs";
import { PACKAGE_VERSION } from "../base/version.ts";
import type { Activation } from "./activation/activation.ts";
import { readJson, writeJson } from "../base/files/files.ts";
import { isRecord } from "../base/files/json.ts";
import { parseAnswer, type ProbeAnswer } from "./probe.ts";
import { holdsHere } from "./activation/shell.ts";
import { configDirectory, type Surroundings } from "./surroundings.ts";

/** An interpreter's answer with the activation of its environment. */
export interface Remembered {
  readonly answer: ProbeAnswer;
  readonly activation: Activation;
}

/** The oldest answers go when there are more. */
const KEPT = 32;

/** The file that holds the answers. */
export function memoryFile(at: Surroundings): string {
  return at.path.join(configDirectory(at), "interpreters.json");
}

/** What an interpreter said last; `undefined` where it was never asked or something has changed since. */
export async function recall(python: string, at: Surroundings): Promise<Remembered | undefined> {
  const entry = (await readMemory(at))[python];
  if (!isRecord(entry) || entry["isotorch"] !== PACKAGE_VERSION) return undefined;
  const { answer, activation, stamp } = entry;
  if (!isRecord(answer) || !isRecord(activation) || !isRecord(stamp)) return undefined;
  const parsed = parseAnswer(answer);
  if (!parsed || parsed.watch.length === 0 || !stillFits(stamp)) return undefined;
  const said = parseActivation(activation);
  return said && holdsHere(said, at) ? { answer: parsed, activation: said } : undefined;
}

/** An activation as it was written down; `undefined` for one that does not tell which shells it holds of. */
function parseActivation(value: Record<string, unknown>): Activation | undefined {
  const { variables, front, complaint, looks } = value;
  if (!isRecord(variables) || !isRecord(looks)) return undefined;
  return {
    variables: textsOf(variables),
    front: Array.isArray(front) ? front.map(String) : [],
    complaint: typeof complaint === "string" ? complaint : null,
    isSettled: true,
    looks: textsOf(looks),
    watch: [],
  };
}

/** Writes an answer down, unless it may be another one next time. A place that cannot be written costs later starts a probe, and nothing else. */
export async function remember(
  python: string,
  { answer, activation }: Remembered,
  at: Surroundings,
): Promise<void> {
  if (answer.watch.length === 0 || !activation.isSettled) return;
  const stamp = stampOf([python, answer.executable, ...answer.watch, ...activation.watch]);
  const entry = { isotorch: PACKAGE_VERSION, answer, activation, stamp };
  await change(at, (entries) => [...entries.filter(([name]) => name !== python), [python, entry]]);
}

/** Throws away what an interpreter said: it has turned out to be wrong. */
export async function forget(python: string, at: Surroundings): Promise<void> {
  await change(at, (entries) =>
    entries.filter(([name, entry]) => name !== python && executableOf(entry) !== python),
  );
}

async function readMemory(at: Surroundings): Promise<Record<string, unknown>> {
  return await readJson(memoryFile(at));
}

type Entries = readonly (readonly [name: string, entry: unknown])[];

let changing: Promise<void> = Promise.resolve();

/** Several interpreters are asked at once; their answers are written one after the other, so that none is lost. */
function change(at: Surroundings, edit: (entries: Entries) => Entries): Promise<void> {
  changing = changing.then(async () => {
    const entries = edit(Object.entries(await readMemory(at))).slice(-KEPT);
    await writeJson(memoryFile(at), Object.fromEntries(entries)).catch(() => {});
  });
  return changing;
}

function stampOf(files: readonly string[]): Record<string, string> {
  return Object.fromEntries([...new Set(files)].map((file) => [file, markOf(file)]));
}

function stillFits(stamp: Record<string, unknown>): boolean {
  const marks = Object.entries(stamp);
  return marks.length > 0 && marks.every(([file, mark]) => markOf(file) === mark);
}

/**
 * Size, time of change and number of a file, links followed; `-` where there is none. Some twenty of them on the way of
 * every start: each takes microseconds, and a turn of the event loop for each would take far longer.
 */
function markOf(file: string): string {
  try {
    const found = statSync(file);
    return `${found.size} ${found.mtimeMs} ${found.ino}`;
  } catch {
    return "-";
  }
}

function executableOf(entry: unknown): unknown {
  return isRecord(entry) && isRecord(entry["answer"]) ? entry["answer"]["executable"] : undefined;
}

function textsOf(values: unknown): Record<string, string> {
  if (!isRecord(values)) return {};
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}
