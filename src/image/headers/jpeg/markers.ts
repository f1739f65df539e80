/** Bytes that are looked at one by one before the next 0xff is searched for: between stuffed ones a search costs more. */
const NEAR = 32;

/**
 * Where the next marker of a JPEG is that is no part of a scan's data, as its stuffed zeros and restart markers are.
 *
 * @returns the offset of its 0xff; -1 where the file ends before its second byte.
 */
export function nextMarker(view: Buffer, from: number): number {
  let at = from;
  for (;;) {
    const near = Math.min(at + NEAR, view.length);
    while (at < near && view[at] !== 0xff) at++;
    if (view[at] !== 0xff) at = view.indexOf(0xff, at);
    if (at < 0 || at + 1 >= view.length) return -1;
    const marker = view[at + 1]!;
    if (marker === 0xff) at++;
    else if (marker === 0 || (marker >= 0xd0 && marker <= 0xd7)) at += 2;
    else return at;
  }
}
