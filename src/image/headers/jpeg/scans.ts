import type { Counter } from "../../source/limits.ts";
import type { Frame } from "./frame.ts";
import { nextMarker } from "./markers.ts";
import { tablesOf } from "./tables.ts";

const CUT_OFF = "JPEG that is cut off";
const OUT_OF_PLACE = "JPEG with a marker out of place";
const ODD_SCAN = "JPEG with an odd scan";

interface Scan {
  readonly ids: readonly number[];
  readonly tables: readonly number[];
  readonly from: number;
  readonly to: number;
  readonly high: number;
  readonly low: number;
}

/**
 * Walks from scan to scan up to the end marker. Damage in the last rows goes unnoticed by sharp, but Pillow refuses some of
 * it; and a progressive picture whose last scans are missing is smoothed by libjpeg, which versions of it do differently.
 *
 * @param firstScan where the body of the first scan header starts.
 * @param tables the names of the tables that were defined before it.
 * @returns why Pillow should decode it; undefined when nothing is odd.
 */
export function doubtOfScans(
  view: Buffer,
  firstScan: number,
  frame: Frame,
  tables: Set<string>,
): string | undefined {
  const missing = new Map(frame.components.map(({ id }) => [id, new Uint8Array(64).fill(1)]));
  try {
    for (let at = firstScan; at > 0;) {
      // Where one scan holds the whole picture, sharp stops before another one; Pillow stumbles over it.
      if (!frame.progressive && at !== firstScan) return "JPEG with a scan too many";
      const scan = scanAt(view, at);
      if (!scan || !isSound(scan, frame, tables)) return ODD_SCAN;
      for (const id of scan.ids) missing.get(id)?.fill(scan.low, scan.from, scan.to + 1);
      at = nextScan(view, at + view.readUInt16BE(at), tables);
      if (at < 0) return OUT_OF_PLACE;
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return CUT_OFF;
  }
  const complete = [...missing.values()].every((bits) => bits.every((bit) => bit === 0));
  return complete ? undefined : "progressive JPEG without its last scans";
}

function scanAt(view: Buffer, at: number): Scan | undefined {
  const count = view.readUInt8(at + 2);
  if (view.readUInt16BE(at) !== 6 + 2 * count) return undefined;
  const numbers = Array.from({ length: count }, (_, i) => at + 3 + 2 * i);
  const tail = at + 3 + 2 * count;
  return {
    ids: numbers.map((number) => view.readUInt8(number)),
    tables: numbers.map((number) => view.readUInt8(number + 1)),
    from: view.readUInt8(tail),
    to: view.readUInt8(tail + 1),
    high: view.readUInt8(tail + 2) >> 4,
    low: view.readUInt8(tail + 2) & 15,
  };
}

/** Whether the scan is one that the format has, of this frame, with tables that were defined. */
function isSound({ ids, tables, from, to, high, low }: Scan, frame: Frame, known: Set<string>): boolean {
  const all = frame.components.map(({ id }) => id);
  const inOrder = all.filter((id) => ids.includes(id));
  if (ids.length === 0 || inOrder.join() !== ids.join()) return false;
  if (!frame.progressive) {
    const whole = ids.length === all.length && from === 0 && to === 63 && high === 0 && low === 0;
    return whole && tables.every((pair) => known.has(`dc${pair >> 4}`) && known.has(`ac${pair & 15}`));
  }
  if (from > to || to > 63 || low > 13 || (high !== 0 && high !== low + 1)) return false;
  if (from === 0) return to === 0 && (high !== 0 || tables.every((pair) => known.has(`dc${pair >> 4}`)));
  return ids.length === 1 && known.has(`ac${tables[0]! & 15}`);
}

/** Where the body of the next scan header starts; 0 at the end marker, -1 at a marker that has no place here. */
function nextScan(view: Buffer, from: number, tables: Set<string>): number {
  for (let at = from; ;) {
    at = nextMarker(view, at);
    if (at < 0) throw new RangeError(CUT_OFF);
    const marker = view.readUInt8(at + 1);
    if (marker === 0xda) return at + 2;
    if (marker === 0xd9) return 0;
    if (marker !== 0xc4 && marker !== 0xdd) return -1;
    const end = at + 2 + view.readUInt16BE(at + 2);
    if (view.readUInt8(end) !== 0xff) return -1;
    const body = view.subarray(at + 4, end);
    const defined = marker === 0xc4 ? tablesOf(marker, body) : [];
    if (!defined || (marker === 0xdd && body.length !== 2)) return -1;
    for (const name of defined) tables.add(name);
    at = end;
  }
}

/**
 * Counts the scans, and the segments between them, up to the end marker: also of a file that is odd, which Pillow may read.
 *
 * @param firstScan where the body of the first scan header starts.
 * @throws IsotorchError `INPUT_TOO_LARGE`.
 */
export function countAllScans(view: Buffer, firstScan: number, scans: Counter, segments: Counter): void {
  scans.count();
  for (let at = afterSegment(view, firstScan); ;) {
    at = nextMarker(view, at);
    const marker = view[at + 1];
    if (at < 0 || marker === 0xd9) return;
    if (marker === 0xda) scans.count();
    else segments.count();
    // Markers without a body are counted and passed over.
    at = marker === 0x01 || marker === 0xd8 ? at + 2 : afterSegment(view, at + 2);
  }
}

function afterSegment(view: Buffer, body: number): number {
  return body + (body + 2 <= view.length ? Math.max(2, view.readUInt16BE(body)) : 2);
}
