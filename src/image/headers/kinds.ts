/**
 * The kinds of file that may be decoded here. Each has one built-in picture, `models/attestation/<kind>.<format>`: where sharp
 * and a worker's Pillow read that to the same bytes, they read its kind to the same bytes.
 */
const JPEGS = ["grey", "444", "422", "420", "440"];
const KEYED_PNGS = [
  "grey1",
  "grey2",
  "grey4",
  "grey8",
  "rgb8",
  "palette1",
  "palette2",
  "palette4",
  "palette8",
];
const PNGS = [...KEYED_PNGS.flatMap((name) => [name, `${name}-trns`]), "greyalpha8", "rgba8"];
const WEBPS = ["lossy", "lossy-alpha", "lossless", "lossless-alpha"];

/** Every kind that a header can have. */
export const KINDS: readonly string[] = [
  ...JPEGS.flatMap((name) => [`jpeg-${name}`, `jpeg-${name}-progressive`]),
  ...PNGS.flatMap((name) => [`png-${name}`, `png-${name}-interlaced`]),
  ...WEBPS.map((name) => `webp-${name}`),
];
