/** What people hand over by mistake, by first bytes: as Latin-1, or in hexadecimal. Tried in order. */
const OTHERS: readonly (readonly [RegExp | string, string])[] = [
  [/^%PDF-/, "a PDF document"],
  [/^%!PS/, "a PostScript document"],
  ["504b0304", "a zip archive"],
  ["504b0506", "an empty zip archive"],
  ["1f8b", "a gzip archive"],
  [/^....ftypavi[fs]/s, "an AVIF picture"],
  [/^....ftyp(?:heic|heix|mif1|msf1|hevc)/s, "a HEIC picture"],
  [/^....ftyp/s, "an MP4 video"],
  ["ff0a", "a JPEG XL picture"],
  ["0000000c4a584c20", "a JPEG XL picture"],
  [/^8BPS/, "a Photoshop document"],
  [/^RIFF/, "a RIFF file without WebP data in it"],
  ["7f454c46", "a program"],
  [/^MZ/, "a program"],
  [/^\x80[^ -\xff]/, "a Python pickle"],
  [/^version https:\/\/git-lfs/, "a Git LFS pointer, not the file itself"],
];

/** What the bytes of something that is not a picture look like: `it looks like an HTML page`. */
export function looksLike(bytes: Uint8Array): string {
  if (bytes.length === 0) return "the input is empty";
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024)).toString("latin1");
  const hex = Buffer.from(head.slice(0, 16), "latin1").toString("hex");
  const text = head.startsWith("\xef\xbb\xbf") ? head.slice(3) : head;
  const markup = markupOf(text);
  if (markup !== undefined) return `it looks like ${markup}`;
  for (const [pattern, name] of OTHERS) {
    const found = typeof pattern === "string" ? hex.startsWith(pattern) : pattern.test(text);
    if (found) return `it looks like ${name}`;
  }
  if (/^[\t\n\r\x20-\x7e\x80-\xff]+$/.test(text) && /[a-z ]{2}/i.test(text)) return "it looks like text";
  if (/^(?:00)+$/.test(hex)) return "it is all zero bytes";
  return `it starts with the bytes ${hex.slice(0, 16)}`;
}

/** Walks over comments and declarations once, up to the first element: no pattern that could go back and forth. */
function markupOf(text: string): string | undefined {
  const lower = text.toLowerCase();
  let at = 0;
  let isXml = false;
  for (;;) {
    while (at < lower.length && lower[at]!.trim() === "") at++;
    const next = (name: string): boolean => lower.startsWith(name, at);
    if (next("<svg")) return "an SVG drawing";
    if (["<!doctype html", "<html", "<head", "<body", "<script"].some(next)) return "an HTML page";
    const end = next("<!--") ? "-->" : next("<?xml") ? "?>" : next("<!doctype svg") ? ">" : undefined;
    isXml ||= end === "?>";
    const found = end === undefined ? -1 : lower.indexOf(end, at);
    if (end === undefined || found < 0) return isXml ? "an XML document" : undefined;
    at = found + end.length;
  }
}
