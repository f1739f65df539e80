/** Base64 as people have it: in `data:` URLs, with or without padding, in either alphabet. */

/**
 * The bytes of a `data:` URL in base64 or base64url, with or without padding; `undefined` for a URL that says another
 * encoding, or none.
 *
 * @throws Error what is wrong with it.
 */
export function base64Bytes({ href }: URL): Uint8Array | undefined {
  const comma = href.indexOf(",");
  if (comma === -1 || !/;\s*base64\s*$/i.test(href.slice(Math.max(0, comma - 20), comma))) return undefined;
  const content = href.slice(comma + 1).replace(/#.*$/s, "");
  const text = (content.includes("%") ? decodeURIComponent(content) : content).replaceAll(/\s/g, "");
  if (!/^[\w+/-]*={0,2}$/.test(text) || text.replace(/={1,2}$/, "").length % 4 === 1)
    throw new Error("its content is not base64");
  return new Uint8Array(Buffer.from(text, "base64"));
}

/** How the files of pictures begin, in base64: JPEG, PNG, GIF, WebP, BMP, TIFF. */
const BEGINNINGS = ["/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR", "Qk", "SUkqA", "TU0AK"];
/** Characters below which a text is taken for a name. */
const LEAST = 64;

/** Whether a text is the content of a picture file in base64, and not the name of one. */
export function looksLikeBase64(text: string): boolean {
  if (text.length < LEAST) return false;
  // Its beginning tells; a megabyte of it tells no more.
  const start = text.slice(0, 1_000).replaceAll(/\s/g, "");
  const isAlphabet = /^[\w+/-]*={0,2}$/.test(start);
  return isAlphabet && BEGINNINGS.some((beginning) => start.startsWith(beginning));
}
