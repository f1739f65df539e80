/**
 * The tags that Pillow writes back when it turns a picture, by the type that each must have. Pillow fails on a tag whose type
 * is not the one that it knows, so that a picture with any other tag is turned by Pillow itself.
 */
type Tags = ReadonlyMap<number, ReadonlySet<number>>;

const [BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL] = [1, 2, 3, 4, 5, 7, 10] as const;

function tags(...groups: readonly (readonly [readonly number[], readonly number[]])[]): Tags {
  const all = new Map<number, ReadonlySet<number>>();
  for (const [types, numbers] of groups) for (const number of numbers) all.set(number, new Set(types));
  return all;
}

/** Make, Model, Software, resolutions and their like. */
const MAIN = tags(
  [[ASCII], [0x010e, 0x010f, 0x0110, 0x0131, 0x0132, 0x013b, 0x013c, 0x8298]],
  [[SHORT], [0x0103, 0x0112, 0x0115, 0x011c, 0x0128, 0x0213]],
  [
    [SHORT, LONG],
    [0x0100, 0x0101],
  ],
  [[RATIONAL], [0x011a, 0x011b]],
  [[LONG], [0x8769, 0x8825]],
);

/** Exposure, lens, dates. */
const CAMERA = tags(
  [[ASCII], [0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292, 0xa420, 0xa430, 0xa431]],
  [[ASCII], [0xa433, 0xa434, 0xa435]],
  [[SHORT], [0x8822, 0x8827, 0x8830, 0x9207, 0x9208, 0x9209, 0xa001, 0xa210, 0xa217, 0xa401, 0xa402]],
  [[SHORT], [0xa403, 0xa405, 0xa406, 0xa407, 0xa408, 0xa409, 0xa40a, 0xa40c, 0x9214]],
  [
    [SHORT, LONG],
    [0xa002, 0xa003],
  ],
  [[LONG], [0xa005]],
  [[RATIONAL], [0x829a, 0x829d, 0x9102, 0x9202, 0x9205, 0x9206, 0x920a, 0xa20e, 0xa20f, 0xa404, 0xa432]],
  [[SRATIONAL], [0x9201, 0x9203, 0x9204]],
  [[UNDEFINED], [0x9000, 0x9101, 0x927c, 0x9286, 0xa000, 0xa300, 0xa301]],
);

const PLACE = tags(
  [[BYTE], [0x00, 0x05]],
  [[ASCII], [0x01, 0x03, 0x08, 0x09, 0x0a, 0x0c, 0x0e, 0x10, 0x12, 0x17, 0x1d]],
  [[RATIONAL], [0x02, 0x04, 0x06, 0x07, 0x0b, 0x0d, 0x0f, 0x11, 0x18, 0x1f]],
  [[UNDEFINED], [0x1b]],
  [[SHORT], [0x1e]],
);

const INTEROP = tags([[ASCII], [0x01]], [[UNDEFINED], [0x02]]);

/** What a directory may hold, and the directories inside it by the tag that points to them. */
export interface Directory {
  readonly tags: Tags;
  readonly inner: ReadonlyMap<number, Directory>;
}

const leaf = (all: Tags): Directory => ({ tags: all, inner: new Map() });

/** The first directory of a TIFF block. */
export const MAIN_DIRECTORY: Directory = {
  tags: MAIN,
  inner: new Map([
    [0x8769, { tags: CAMERA, inner: new Map([[0xa005, leaf(INTEROP)]]) }],
    [0x8825, leaf(PLACE)],
  ]),
};
