/** What conda is going to download, by its dry run, and how much of it is there already. */
import { stat } from "node:fs/promises";
import { isRecord } from "../../base/files/json.ts";
import type { SetupProgress } from "../progress.ts";
import { reportIn } from "../report.ts";

/** A package that conda has to download or to unpack. */
export interface Fetch {
  /** The name of its archive, such as `numpy-1.26.4-py310h0_0.conda`. */
  readonly file: string;
  /** Such as `numpy-1.26.4`. */
  readonly name: string;
  readonly bytes: number;
}

/** The downloads in what `conda create --dry-run --json` prints; `undefined` for anything else. */
export function fetchesIn(stdout: string): Fetch[] | undefined {
  const report = reportIn(stdout);
  if (!report) return undefined;
  const actions = report["actions"];
  // Where nothing is to be done, old versions print a list of actions for each prefix.
  const groups = (Array.isArray(actions) ? actions : [actions]).filter((group) => isRecord(group));
  const records = groups.flatMap((group) => (Array.isArray(group["FETCH"]) ? group["FETCH"] : []));
  return records.flatMap((record: unknown) => {
    if (!isRecord(record) || typeof record["fn"] !== "string") return [];
    const bytes = typeof record["size"] === "number" ? record["size"] : 0;
    return [{ file: record["fn"], name: `${String(record["name"])}-${String(record["version"])}`, bytes }];
  });
}

/** Share of the downloads in the whole, and of what is unpacked; linking is what remains. */
const DOWNLOAD_SHARE = 80;
const EXTRACT_SHARE = 15;

/** Reads how far conda has come; the last event is the present state, those before it tell of finished packages. */
export type GrowthReader = () => Promise<SetupProgress[]>;

/**
 * Reads how far the downloads have come from the growth of the package caches: conda tells its progress on terminals
 * alone, and what it tells to others is of one package at a time.
 *
 * @param caches absolute directories, `pkgs_dirs` of `conda info --json`.
 */
export function growthReader(fetches: readonly Fetch[], caches: readonly string[]): GrowthReader {
  const total = fetches.reduce((sum, { bytes }) => sum + bytes, 0);
  const downloaded = new Set<string>();
  const unpacked = new Set<string>();
  let furthest = 0;
  return async () => {
    let [loaded, extracted] = [0, 0];
    let current: { readonly name: string; readonly bytes: number } | undefined;
    const news: string[] = [];
    for (const fetch of fetches) {
      const { file, name, bytes } = fetch;
      if (!unpacked.has(file) && (await isUnpacked(file, caches))) unpacked.add(file);
      const here = downloaded.has(file) || unpacked.has(file) ? bytes : await bytesOf(fetch, caches);
      if (here >= bytes && (bytes > 0 || unpacked.has(file)) && !downloaded.has(file)) {
        downloaded.add(file);
        news.push(name);
      }
      if (!downloaded.has(file) && here > (current?.bytes ?? 0)) current = { name, bytes: here };
      loaded += Math.min(here, bytes);
      if (unpacked.has(file)) extracted += bytes;
    }
    const shares = DOWNLOAD_SHARE * loaded + EXTRACT_SHARE * extracted;
    furthest = Math.max(furthest, total > 0 ? shares / total : DOWNLOAD_SHARE + EXTRACT_SHARE);
    const sizes = { progress: furthest, loaded, total };
    const finished = news.map((name) => ({ phase: "downloading", ...sizes, name, finished: true }) as const);
    return [
      ...finished,
      { phase: phaseOf(fetches, downloaded, unpacked), ...sizes, ...(current && { name: current.name }) },
    ];
  };
}

function phaseOf(
  fetches: readonly Fetch[],
  downloaded: ReadonlySet<string>,
  unpacked: ReadonlySet<string>,
): SetupProgress["phase"] {
  if (downloaded.size < fetches.length) return "downloading";
  return unpacked.size < fetches.length ? "extracting" : "installing";
}

/** How much of an archive is there. Until it is whole it has another name, or in old versions its own. */
async function bytesOf({ file, bytes }: Fetch, caches: readonly string[]): Promise<number> {
  const sizes = await Promise.all(
    caches.flatMap((cache) =>
      ["", ".partial"].map(async (ending) => {
        const found = await stat(`${cache}/${file}${ending}`).catch(() => undefined);
        // A whole one has been renamed: a partial one is never done.
        return ending === "" || !found ? (found?.size ?? 0) : Math.min(found.size, bytes - 1);
      }),
    ),
  );
  return Math.max(0, ...sizes);
}

/** The record is what conda writes last into the directory of a package. */
async function isUnpacked(file: string, caches: readonly string[]): Promise<boolean> {
  const folder = file.replace(/\.(?:conda|tar\.bz2)$/, "");
  const records = caches.map((cache) =>
    stat(`${cache}/${folder}/info/repodata_record.json`).catch(() => undefined),
  );
  return (await Promise.all(records)).some((record) => record !== undefined);
}
