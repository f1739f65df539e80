/** How far conda, mamba or micromamba have come, from the lines that they print. */
import { isRecord } from "../base/json.ts";
import type { ManagerKind } from "../worker/managers.ts";

/** How far a setup has come. */
export interface SetupProgress {
  readonly phase: "solving" | "downloading" | "installing" | "done";
  /** 0 to 100 over the whole; absent while nothing is known of it. */
  readonly progress?: number;
  /** The package that the line was about. */
  readonly name?: string;
  /** Whether that package is finished in this phase. */
  readonly finished?: boolean;
}

/** Reads one line; `undefined` for one that tells nothing of the progress. */
export type ProgressReader = (line: string) => SetupProgress | undefined;

/** A reader of what this manager prints when it makes an environment. */
export function progressReader(kind: ManagerKind): ProgressReader {
  return kind === "conda" ? readConda() : readMamba();
}

/**
 * `conda --json`: one object per step of a download,
 * `{"fetch":"pytorch-1.12.1 | 1.20 GB | ","finished":false,"maxval":1,"progress":0.25}` and a NUL. The whole is not
 * told beforehand, so that the fraction is that of the packages seen so far, and never goes back.
 */
function readConda(): ProgressReader {
  const sizes = new Map<string, number>();
  const parts = new Map<string, number>();
  let furthest = 0;
  return (line) => {
    const event = parse(line.replaceAll("\0", ""));
    if (!event || typeof event["fetch"] !== "string" || typeof event["progress"] !== "number")
      return undefined;
    const [name = "", size = ""] = event["fetch"].split("|").map((cell) => cell.trim());
    const finished = event["finished"] === true;
    sizes.set(name, bytesOf(size) ?? 1);
    parts.set(name, finished ? 1 : event["progress"]);
    let [done, all] = [0, 0];
    for (const [known, bytes] of sizes) {
      all += bytes;
      done += bytes * (parts.get(known) ?? 0);
    }
    furthest = Math.max(furthest, (100 * done) / all);
    return { phase: "downloading", progress: furthest, name, finished };
  };
}

/** Share of the downloads in the whole, where linking is what remains. */
const DOWNLOAD_SHARE = 0.8;

/** mamba and micromamba: a summary, a line for each finished download, a line for each package that is linked. */
function readMamba(): ProgressReader {
  let packages = 0;
  let linked = 0;
  let loaded = 0;
  let total = 0;
  const at = (fraction: number): { progress: number } => ({ progress: 100 * Math.min(1, fraction) });
  return (raw) => {
    const line = stripAnsi(raw).trim();
    const summary = /^(Install|Change|Upgrade|Reinstall|Downgrade): (\d+) packages?$/.exec(line);
    if (summary) {
      packages += Number(summary[2]);
      return { phase: "solving" };
    }
    const size = /^Total download: (.+)$/.exec(line)?.[1];
    if (size !== undefined) {
      total = bytesOf(size) ?? 0;
      return { phase: "downloading", ...at(0) };
    }
    const fetched = /^(\S+)\s+([\d.]+ ?[kMGT]?i?B)\s+@\s/.exec(line);
    if (fetched && packages > 0) {
      loaded += bytesOf(fetched[2] ?? "") ?? 0;
      const share = total > 0 ? loaded / total : 0;
      return { phase: "downloading", ...at(DOWNLOAD_SHARE * share), name: fetched[1] ?? "", finished: true };
    }
    const link = /^Linking (\S+)$/.exec(line)?.[1];
    if (link !== undefined) {
      linked += 1;
      const share = packages > 0 ? linked / packages : 0;
      const progress = at(DOWNLOAD_SHARE + (1 - DOWNLOAD_SHARE) * share);
      return { phase: "installing", ...progress, name: link, finished: true };
    }
    return line === "Transaction finished" ? { phase: "done", ...at(1) } : undefined;
  };
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

function bytesOf(text: string): number | undefined {
  const [, number, unit = ""] = /^([\d.]+)\s*([kMGT]?)i?B$/i.exec(text.trim()) ?? [];
  return number === undefined ? undefined : Number(number) * (UNITS[unit.toLowerCase()] ?? 1);
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function stripAnsi(line: string): string {
  return line.replaceAll(new RegExp(`${String.fromCodePoint(27)}\\[[0-9;?]*[A-Za-z]`, "g"), "");
}
