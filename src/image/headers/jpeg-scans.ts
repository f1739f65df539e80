const CUT_OFF = "JPEG that is cut off";

/**
 * Walks from scan to scan up to the end marker. Damage in the last rows goes unnoticed by sharp, but Pillow refuses some of
 * it; and a progressive picture whose last scans are missing is smoothed by libjpeg, which versions of it do differently.
 *
 * @param firstScan where the body of the first scan header starts.
 * @param components the ids of the frame's components.
 * @returns why Pillow should decode it; undefined when nothing is odd.
 */
export function doubtOfScans(
  view: Buffer,
  firstScan: number,
  components: readonly number[],
  progressive: boolean,
): string | undefined {
  const missing = new Map(components.map((id) => [id, new Uint8Array(64).fill(1)]));
  try {
    let at = firstScan;
    // Where one scan holds the whole picture, sharp stops before another one; Pillow stumbles over it.
    const single = !progressive && view.readUInt8(at + 2) === components.length;
    while (at > 0) {
      if (single && at !== firstScan) return "JPEG with a scan too many";
      noteScan(view, at, missing);
      at = nextScan(view, at + view.readUInt16BE(at));
    }
    if (at < 0) return "JPEG with a marker out of place";
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return CUT_OFF;
  }
  const complete = [...missing.values()].every((bits) => bits.every((bit) => bit === 0));
  return progressive && !complete ? "progressive JPEG without its last scans" : undefined;
}

/** Notes down to which bit the scan refines which coefficients of which components. */
function noteScan(view: Buffer, at: number, missing: Map<number, Uint8Array>): void {
  const count = view.readUInt8(at + 2);
  const tail = at + 3 + 2 * count;
  const low = view.readUInt8(tail + 2) & 15;
  for (let i = 0; i < count; i++) {
    const bits = missing.get(view.readUInt8(at + 3 + 2 * i));
    bits?.fill(low, view.readUInt8(tail), view.readUInt8(tail + 1) + 1);
  }
}

/** Where the body of the next scan header starts; 0 at the end marker, -1 at a marker that has no place here. */
function nextScan(view: Buffer, from: number): number {
  let at = view.indexOf(0xff, from);
  for (;;) {
    if (at < 0) throw new RangeError(CUT_OFF);
    const marker = view.readUInt8(at + 1);
    if (marker === 0xda) return at + 2;
    if (marker === 0xd9) return 0;
    if (marker === 0 || (marker >= 0xd0 && marker <= 0xd7)) at = view.indexOf(0xff, at + 2);
    else if (marker === 0xff) at++;
    else if (!isTable(marker)) return -1;
    else at = view.indexOf(0xff, at + 2 + view.readUInt16BE(at + 2));
  }
}

/** Segments that may stand between scans: tables, restart intervals, application data, comments. */
function isTable(marker: number): boolean {
  return [0xc4, 0xcc, 0xdb, 0xdc, 0xdd, 0xfe].includes(marker) || (marker >= 0xe0 && marker <= 0xef);
}
