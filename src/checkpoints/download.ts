import { shown } from "../base/text/shown.ts";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { IsotorchError, messageOf } from "../base/errors.ts";
import { hasCode, makeDirectory, type Patience, replaceFile } from "../base/files/files.ts";
import { type FileLock, tryLock } from "../base/files/lock.ts";
import type { ProgressEvent } from "../base/progress.ts";
import { pathOf } from "../base/text/names.ts";
import { ANOTHER_DIRECTORY } from "../python/surroundings.ts";
import { forget, transfer } from "./transfer.ts";

/** What is downloaded, whereto, and how its content is known to be right. */
export interface DownloadRequest {
  readonly name: string;
  readonly url: string;
  /** Absolute path; its directory is made. */
  readonly target: string;
  /** Full SHA-256, lower-case hex. */
  readonly sha256?: string | null;
  /** The first hex digits of the SHA-256, where the rest is not known. */
  readonly sha256Prefix?: string | null;
  /** Bytes of the whole file. */
  readonly bytes?: number | null;
  /** Bytes that it has at most, where `bytes` is not known: a server may never stop. @default 4 GiB */
  readonly maxBytes?: number;
  readonly onProgress?: (event: ProgressEvent) => void;
  readonly signal?: AbortSignal;
  readonly timing?: Partial<DownloadTiming>;
}

/** The numbers of a download, milliseconds. */
export interface DownloadTiming extends Patience {
  /** Silence after which a connection is given up. @default 30_000 */
  readonly stallMs: number;
  /** Wait before the first resumption; it doubles. @default 500 */
  readonly retryMs: number;
  /** How often a waiting process looks whether the other one has finished. @default 250 */
  readonly pollMs: number;
}

/** The Hugging Face hub, of which `HF_ENDPOINT` names a mirror. */
export const HUB = "huggingface.co";
const RESUMPTIONS = 3;
/** More than any checkpoint that torchvision has. */
const MAX_BYTES = 4 * 2 ** 30;
const TIMING: DownloadTiming = { stallMs: 30_000, retryMs: 500, pollMs: 250 };

/**
 * Brings a file into place: whole and with the right hash, or not at all. A cut or silent connection is resumed at
 * most three times, also by a later process; of several processes one downloads and the others wait for it. What is
 * whole beside its place already, because an earlier process could not put it there, is taken.
 *
 * Rejects with `DOWNLOAD_FAILED` (not reachable, refused, cut four times, directory not writable, disk full, held by
 * another program), `CHECKPOINT_CORRUPT` (wrong content; nothing is kept) or `ABORTED`.
 */
export async function download(request: DownloadRequest): Promise<void> {
  const timing = { ...TIMING, ...request.timing };
  const report = reporter(request);
  const part = `${request.target}.part`;
  let lock: FileLock | undefined;
  try {
    request.signal?.throwIfAborted();
    report("initiate");
    await makeDirectory(dirname(request.target));
    for (;;) {
      lock = await tryLock(`${request.target}.lock`);
      if (await exists(request.target)) return report("done");
      if (lock) {
        report("download");
        const held = lock;
        const isMine = (): boolean => held.isMine();
        if ((await isWhole(part, request)) || (await fetchInto(part, request, { timing, report, isMine })))
          if (isMine()) break;
        // Whoever was stopped for long may have lost it: then another process fetches the file.
        await lock.release();
        lock = undefined;
      }
      await sleep(timing.pollMs, undefined, request.signal ? { signal: request.signal } : {});
      const loaded = await sizeOf(part);
      if (loaded !== undefined) report("progress", loaded, request.bytes ?? undefined);
    }
    await replaceFile(part, request.target, timing);
    await forget(part).catch(() => {});
    report("done");
  } catch (error) {
    if (hasCode(error, "ENOSPC", "EDQUOT")) await forget(part).catch(() => {});
    throw explain(error, request);
  } finally {
    await lock?.release().catch(() => {});
  }
}

/** The SHA-256 of a file, lower-case hex. Rejects with the file system's error. */
export async function hashFile(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(pathOf(file), { highWaterMark: 1024 * 1024 }), hash, {
    ...(signal && { signal }),
  });
  return hash.digest("hex");
}

type Report = (status: ProgressEvent["status"], loaded?: number, total?: number) => void;

interface Means {
  readonly timing: DownloadTiming;
  readonly report: Report;
  readonly isMine: () => boolean;
}

/** @returns whether it is there, which it is not where another process has taken the file over. */
async function fetchInto(
  part: string,
  request: DownloadRequest,
  { timing, report, isMine }: Means,
): Promise<boolean> {
  const { url, bytes, maxBytes = MAX_BYTES, signal } = request;
  let resumed = false;
  let restarted = false;
  for (let attempt = 0; ;) {
    const result = await transfer({
      url,
      part,
      stallMs: timing.stallMs,
      expected: bytes ?? undefined,
      largest: maxBytes,
      mayWrite: isMine,
      onBytes: (loaded, total) => report("progress", loaded, total),
      signal,
    });
    if (result.outcome === "taken") return false;
    if (result.outcome === "complete") {
      resumed ||= result.resumed;
      const wrong = await wrongContent(part, request);
      if (!wrong) return true;
      await forget(part);
      // The pieces of a resumed file may come from two versions on the server; once, all of it is fetched anew.
      if (!resumed || restarted) throw wrong;
      [resumed, restarted] = [false, true];
    } else if (isWorthAnother(result.outcome, attempt)) {
      resumed = true;
      await sleep(timing.retryMs * 2 ** attempt, undefined, signal ? { signal } : {});
      attempt += 1;
    } else {
      const times = attempt > 0 ? `, attempt ${attempt + 1}` : "";
      throw failed(request, `${shown(url)} could not be downloaded (${result.reason}${times}).`);
    }
  }
}

/** A network that was never there is told at once; one that went away may come back. */
function isWorthAnother(outcome: "cut" | "refused" | "unreachable", attempt: number): boolean {
  return attempt < RESUMPTIONS && (outcome === "cut" || (outcome === "unreachable" && attempt > 0));
}

/** Whether all of it is there already, which its hash tells. */
async function isWhole(part: string, request: DownloadRequest): Promise<boolean> {
  const size = await sizeOf(part);
  if (size === undefined || size !== (request.bytes ?? size)) return false;
  if (!request.sha256 && !request.sha256Prefix) return false;
  return (await wrongContent(part, request)) === undefined;
}

async function wrongContent(part: string, request: DownloadRequest): Promise<IsotorchError | undefined> {
  const { sha256, sha256Prefix, url } = request;
  const expected = sha256 ?? sha256Prefix ?? "";
  const actual = await hashFile(part, request.signal);
  if (actual.startsWith(expected)) return undefined;
  return new IsotorchError(
    "CHECKPOINT_CORRUPT",
    `${shown(url)} is not the checkpoint: SHA-256 ${actual}, expected ${expected}.`,
    {
      hint: `Nothing was kept. A proxy or a mirror may have changed it; download ${url} elsewhere and put it at ${request.target}`,
    },
  );
}

function explain(error: unknown, request: DownloadRequest): unknown {
  const { signal, name, target } = request;
  if (error instanceof IsotorchError) return error;
  if (signal?.aborted) {
    const hint = "What was downloaded is kept; the next start continues there";
    return new IsotorchError("ABORTED", `The download of ${shown(name)} was aborted.`, {
      hint,
      cause: signal.reason,
    });
  }
  if (hasCode(error, "ENOSPC", "EDQUOT")) {
    const space = request.bytes ? ` (it needs ${Math.ceil(request.bytes / 2 ** 20)} MiB)` : "";
    return new IsotorchError("DOWNLOAD_FAILED", `The disk is full while writing ${shown(target)}${space}.`, {
      hint: `Make room on the disk of ${dirname(target)}, or choose another directory: ${ANOTHER_DIRECTORY}`,
      cause: error,
    });
  }
  if (!(error instanceof Error && "code" in error)) return error;
  if ("syscall" in error && error.syscall === "rename") {
    return new IsotorchError(
      "DOWNLOAD_FAILED",
      `${shown(target)} cannot be put in its place: ${messageOf(error)}`,
      {
        hint: "Close what holds it, such as a scanner; the download is whole, and the next start takes it",
        cause: error,
      },
    );
  }
  return new IsotorchError("DOWNLOAD_FAILED", `${shown(target)} cannot be written: ${messageOf(error)}`, {
    hint: `Make ${dirname(target)} a directory that can be written, or choose another: ${ANOTHER_DIRECTORY}`,
    cause: error,
  });
}

function failed({ url, target }: DownloadRequest, message: string): IsotorchError {
  const hub = new URL(url).hostname === HUB ? " or, of the hub, with HF_ENDPOINT" : "";
  return new IsotorchError("DOWNLOAD_FAILED", message, {
    hint: `Put the file by hand at ${target} (from ${url}), name a mirror with ISOTORCH_WEIGHTS_URL${hub}, or try without trained weights: --weights untrained:0`,
  });
}

function reporter({ name, target, onProgress }: DownloadRequest): Report {
  let last = 0;
  return (status, loaded, total) => {
    if (!onProgress) return;
    const now = Date.now();
    if (status === "progress" && now - last < 100 && loaded !== total) return;
    if (status === "progress") last = now;
    onProgress({
      status,
      name,
      file: basename(target),
      ...(loaded !== undefined && total !== undefined && total > 0 && { progress: (100 * loaded) / total }),
      ...(loaded !== undefined && { loaded }),
      ...(total !== undefined && { total }),
    });
  };
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined))?.isFile() ?? false;
}

async function sizeOf(file: string): Promise<number | undefined> {
  return (await stat(file).catch(() => undefined))?.size;
}
