/** How far a setup has come; for mamba and micromamba, from the lines that they print. */

/** How far a setup has come. */
export interface SetupProgress {
  readonly phase: "solving" | "downloading" | "extracting" | "installing" | "done";
  /** 0 to 100 over the whole; absent while nothing is known of it. */
  readonly progress?: number;
  /** The package that the line was about. */
  readonly name?: string;
  /** Whether that package is finished in this phase. */
  readonly finished?: boolean;
  /** Bytes that are downloaded, of `total`. */
  readonly loaded?: number;
  /** Bytes to download, those included that an earlier attempt left. */
  readonly total?: number;
  /** Since the start of the step. */
  readonly seconds?: number;
}

/** Reads one line; `undefined` for one that tells nothing of the progress. */
export type ProgressReader = (line: string) => SetupProgress | undefined;

/** Share of the downloads in the whole, where linking is what remains. */
const DOWNLOAD_SHARE = 0.8;

/** mamba and micromamba: a summary, a line for each finished download, a line for each package that is linked. */
export function mambaReader(): ProgressReader {
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

function stripAnsi(line: string): string {
  return line.replaceAll(new RegExp(`${String.fromCodePoint(27)}\\[[0-9;?]*[A-Za-z]`, "g"), "");
}
