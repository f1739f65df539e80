/** Runs one activation script as a shell runs it for `conda activate`, and reads what the variables are then. */
import { statusText } from "../../base/status.ts";
import { randomUUID } from "node:crypto";
import { parseRecord } from "../../base/files/json.ts";
import { whichCommand } from "../candidates.ts";
import { runCommand } from "../command.ts";
import type { Variables } from "./shell.ts";
import type { Surroundings } from "../surroundings.ts";

/** What became of a script. */
export interface Sourced {
  /** All variables after it; `undefined` where it did not come to its end. */
  readonly after: Variables | undefined;
  /** What went wrong, the rest of a sentence that begins with the script; `null` where nothing did. */
  readonly problem: string | null;
  /** Whether it was ended because it took too long, which may be otherwise another time. */
  readonly isHung: boolean;
}

/** What runs the scripts. */
export interface Shell {
  readonly kind: "bash" | "sh" | "cmd";
  /** Absolute path. */
  readonly file: string;
}

const TIMEOUT_MS = 10_000;

/** The shell that the packages of conda write their scripts for: bash where there is one, `cmd.exe` on Windows. */
export async function shellFor(at: Surroundings): Promise<Shell> {
  if (at.platform === "win32") return { kind: "cmd", file: at.environ["ComSpec"] ?? "cmd.exe" };
  const bash = await whichCommand("bash", at);
  return bash ? { kind: "bash", file: bash } : { kind: "sh", file: "/bin/sh" };
}

/**
 * Runs a script in a shell of its own, so that one that ends it, breaks it or hangs costs only itself. Without a script
 * it tells what the variables are in that shell: the system, Node and the shell add some.
 */
export async function source(
  script: string | undefined,
  environ: Variables,
  { kind, file }: Shell,
  timeoutMs: number = TIMEOUT_MS,
): Promise<Sourced> {
  const mark = randomUUID();
  const print = `process.stdout.write('${mark}'+JSON.stringify(process.env)+'${mark}')`;
  const words = kind === "cmd" ? cmdWords(script, print) : posixWords(kind, print);
  const result = await runCommand(file, words, {
    // In variables, because cmd.exe reads a file in its own code page.
    env: {
      ...environ,
      ISOTORCH_NODE: process.execPath,
      ISOTORCH_SCRIPT: script ?? "/dev/null",
      // In an Electron application the program is the application.
      ELECTRON_RUN_AS_NODE: "1",
    },
    timeoutMs,
    verbatim: true,
  });
  if (result.outcome === "timed-out") {
    return { after: undefined, problem: `did not end within ${timeoutMs / 1000} s`, isHung: true };
  }
  const printed = textsIn(result.stdout.split(mark)[1] ?? "", kind);
  const { ISOTORCH_STATUS: status = "0", ISOTORCH_NODE: _node, ISOTORCH_SCRIPT: _script, ...after } = printed;
  const said = firstLine(result.stderr).replace(`${script}: `, "");
  if (Object.keys(after).length === 0) {
    const how = `ended its shell ${result.code === null ? "by a signal" : `with exit status ${statusText(result.code)}`}`;
    return { after: undefined, problem: said ? `${how} (${said})` : how, isHung: false };
  }
  // Many end with a test that fails. Only bash goes on after what it cannot read and tells so by the status.
  const isBroken = result.stderr.trim() !== "" && (status !== "0" || kind !== "bash");
  return { after, problem: isBroken ? `says: ${said || "something unreadable"}` : null, isHung: false };
}

/** Sources the script, whatever it sets, and lets Node print the variables. It sees no arguments, as at a prompt. */
function posixWords(kind: "bash" | "sh", print: string): string[] {
  const body = [
    "isotorch_print=$1 isotorch_node=$ISOTORCH_NODE isotorch_script=$ISOTORCH_SCRIPT isotorch_status=0; shift",
    "unset ISOTORCH_NODE ISOTORCH_SCRIPT",
    '. "$isotorch_script" >/dev/null || isotorch_status=$?',
    'ISOTORCH_STATUS=$isotorch_status "$isotorch_node" -e "$isotorch_print"',
  ].join("\n");
  return [...(kind === "bash" ? ["--noprofile", "--norc"] : []), "-c", body, kind, print];
}

/** The variables of the line are expanded before the script runs. Without `call` nothing is expanded twice. */
function cmdWords(script: string | undefined, print: string): string[] {
  const run = script === undefined ? "" : '"%ISOTORCH_SCRIPT%" >nul & ';
  return ["/d", "/v:off", "/s", "/c", `"${run}"%ISOTORCH_NODE%" -e "${print}""`];
}

/** What cmd.exe says is in its own code page. */
function firstLine(stderr: string): string {
  const line = stderr.trim().split("\n")[0]?.trim() ?? "";
  return line.includes("\uFFFD") ? "" : line;
}

function textsIn(json: string, kind: Shell["kind"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parseRecord(json)).map(([name, value]) => [
      kind === "cmd" ? name.toUpperCase() : name,
      String(value),
    ]),
  );
}
