import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("../../scripts/chaos.mjs", import.meta.url));
const SEED = "1";

interface Run {
  readonly code: number;
  readonly output: string;
}

/** Runs the script as `npm run chaos` does; it needs the compiled `dist/`, as that does. */
async function chaos(...args: readonly string[]): Promise<Run> {
  const command = [SCRIPT, "--short", "--seed", SEED, ...args];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, command);
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: `${stdout}${stderr}` };
  }
}

// The ledger is about processes and descriptors, which only Linux tells this way.
describe.skipIf(process.platform !== "linux")("the ledger holds", () => {
  async function holds(name: string): Promise<void> {
    const { code, output } = await chaos("--only", name);
    expect(output.startsWith(`seed ${SEED}\n`)).toBe(true);
    expect(output).not.toContain("BROKEN");
    expect(output).toContain("Every line of the ledger holds.");
    expect(code).toBe(0);
  }

  // Two at a time: these judge answers, not rates.
  test.concurrent.each([
    ["storm", "through one of every fault of the storm"],
    ["pictures", "for damaged pictures"],
    ["kills-real", "through a kill of the real network's worker"],
    ["checkpoints", "for damaged checkpoints"],
    ["messages", "for damaged messages at each decoder"],
    ["kills", "through worker kills under load"],
    ["outside", "through workers that somebody ends every few seconds"],
    ["closes", "through closes with calls in every stage"],
    ["reloads", "through reloads with calls in every stage"],
    ["texts", "through a worker kill at a random token of each text"],
    ["guests", "beside hostile pictures, aborts and functions that throw"],
  ])("%s: %s", holds);

  test.each([
    ["controllers", "through killed controllers, a third of them with the GIL held"],
    ["overload", "through ten times more calls than can be answered"],
    ["leak", "over thousands of calls, and a planted leak is detected"],
  ])("%s: %s", holds);
});

test("the same seed repeats the schedule, another seed has another", async () => {
  const scheduleOf = async (seed: string): Promise<string | undefined> => {
    const { output } = await chaos("--only", "storm", "--seed", seed, "--set", "faults=0");
    return /schedule \w+/.exec(output)?.[0];
  };
  const [first, again, other] = [await scheduleOf("7"), await scheduleOf("7"), await scheduleOf("8")];
  expect(first).toMatch(/schedule \w{16}/);
  expect(again).toBe(first);
  expect(other).not.toBe(first);
});

test("an experiment that does not exist is refused by name", async () => {
  const { code, output } = await chaos("--only", "stroms");
  expect(code).toBe(2);
  expect(output).toContain("no experiment stroms");
});
