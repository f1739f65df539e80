// Mutations of JPEG files that keep their structure: lengths are right unless a mutation is about them.
import { exifBlock, xmpPacket } from "./exif.mjs";
import { changedByte, changeParts, damage } from "./random.mjs";

/** Segments `{ marker, body }`, scans with their data as `data` behind the header. */
function parse(bytes) {
  const parts = [];
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xd9) {
    const marker = bytes[at + 1];
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    let next = end;
    if (marker === 0xda) next = dataEnd(bytes, end);
    parts.push({ marker, body: bytes.subarray(at + 4, end), data: bytes.subarray(end, next) });
    at = next;
  }
  return { parts, tail: bytes.subarray(at) };
}

function dataEnd(bytes, from) {
  let at = from;
  while (at + 1 < bytes.length) {
    if (bytes[at] === 0xff && bytes[at + 1] !== 0 && (bytes[at + 1] < 0xd0 || bytes[at + 1] > 0xd7))
      return at;
    at++;
  }
  return bytes.length;
}

function join({ parts, tail }) {
  const all = parts.map(({ marker, body, data, length, before }) => {
    const head = Buffer.from([0xff, marker, 0, 0]);
    head.writeUInt16BE((length ?? body.length + 2) & 0xffff, 2);
    return Buffer.concat([before ?? Buffer.alloc(0), head, body, data ?? Buffer.alloc(0)]);
  });
  return Buffer.concat([Buffer.from([0xff, 0xd8]), ...all, tail]);
}

const text = (value) => Buffer.from(value, "latin1");

/** A segment that a camera, an editor or nobody would write. */
function freshSegment(random) {
  const exif = () =>
    Buffer.concat([
      text(random.pick(["Exif\0\0", "Exif\0\0", "Exif\0\0", "Exif\0x", "Exif\0\0Exif\0\0"])),
      exifBlock(random),
    ]);
  const [part, parts] = [random.integer(0, 3), random.integer(0, 3)];
  const resources = Buffer.concat([
    text("8BIM"),
    Buffer.from([3, random.pick([0xed, 0xee]), 0, 0, 0, 0, 0, random.pick([16, 16, 4, 200])]),
    random.bytes(16),
  ]);
  const makers = [
    () => [
      0xe0,
      Buffer.concat([
        text("JFIF\0"),
        Buffer.from([random.integer(0, 2), 1, random.integer(0, 3), 0, 1, 0, 1, 0, 0]).subarray(
          0,
          random.integer(0, 9),
        ),
      ]),
    ],
    () => [0xe0, Buffer.concat([text("JFXX\0"), Buffer.from([0x10]), random.bytes(9)])],
    () => [0xe1, exif()],
    () => [0xe1, exif()],
    () => [0xe1, exif()],
    () => [0xe1, Buffer.concat([text("http://ns.adobe.com/xap/1.0/\0"), xmpPacket(random)])],
    () => [
      0xe2,
      Buffer.concat([text("ICC_PROFILE\0"), Buffer.from([part, parts]), random.bytes(40)]).subarray(
        0,
        random.integer(11, 60),
      ),
    ],
    () => [0xe2, Buffer.concat([text("ICC_PROFILE\0"), Buffer.from([1, 1]), random.bytes(40)])],
    () => [0xe2, Buffer.concat([text("MPF\0II*\0"), random.bytes(30)])],
    () => [
      0xed,
      Buffer.concat([text("Photoshop 3.0\0"), resources.subarray(0, random.integer(0, resources.length))]),
    ],
    () => [0xed, Buffer.concat([text("Photoshop 3.0\0"), resources])],
    () => [
      0xee,
      Buffer.concat([text("Adobe\0d\0\0\0\0"), Buffer.from([random.integer(0, 3)])]).subarray(
        0,
        random.pick([12, 12, 12, 11, 5]),
      ),
    ],
    () => [0xe0 + random.integer(3, 15), random.bytes(random.integer(0, 30))],
    () => [0xfe, random.bytes(random.integer(0, 30))],
    () => [0xdd, Buffer.from([0, random.integer(0, 9)])],
    () => [
      0xdb,
      Buffer.concat([Buffer.from([random.pick([0, 1, 16, 4])]), random.bytes(random.pick([64, 128]))]),
    ],
    () => [
      random.pick([0xcc, 0xdc, 0xde, 0xdf, 0xf0, 0xc8, 0x01, 0xd0, 0xd8]),
      random.bytes(random.integer(0, 6)),
    ],
  ];
  const [marker, body] = random.pick(makers)();
  return { marker, body };
}

function changeFrame(random, parts) {
  return parts.map((part) => {
    if (part.marker < 0xc0 || part.marker > 0xc2) return part;
    const body = Buffer.from(part.body);
    const marker = random.next() < 0.2 ? random.pick([0xc0, 0xc1, 0xc2, 0xc9]) : part.marker;
    const change = random.pick([
      () => (body[0] = random.edge(16)),
      () => body.writeUInt16BE(random.edge(300), 1),
      () => body.writeUInt16BE(random.edge(300), 3),
      () => (body[5] = random.integer(0, 5)),
      () => (body[6 + 3 * random.integer(0, (body.length - 9) / 3)] = random.edge(255)),
      () =>
        (body[7 + 3 * random.integer(0, (body.length - 9) / 3)] = random.pick([
          0x11, 0x12, 0x21, 0x22, 0x41, 0x14, 0x13, 0,
        ])),
      () => (body[8 + 3 * random.integer(0, (body.length - 9) / 3)] = random.integer(0, 4)),
    ]);
    if (marker === part.marker) change();
    return { ...part, marker, body };
  });
}

/** Changes in the coded data: bits, bytes left out or put in, markers in the middle. */
function changeData(random, parts) {
  const scans = parts.filter(({ marker }) => marker === 0xda);
  const chosen = random.pick(scans);
  return parts.map((part) => {
    if (part !== chosen || part.data.length < 4) return part;
    const at = random.integer(0, part.data.length - 1);
    const [before, after] = [part.data.subarray(0, at), part.data.subarray(at)];
    const data = random.pick([
      () => changedByte(random, part.data, Math.max(0, at - 15)),
      () => changedByte(random, part.data, Math.max(0, part.data.length - 8)),
      () => Buffer.concat([before, after.subarray(random.integer(1, 4))]),
      () => Buffer.concat([before, random.bytes(random.integer(1, 4)), after]),
      () => Buffer.concat([before, Buffer.from([0xff, random.integer(0xc0, 0xff)]), after]),
      () => Buffer.concat([part.data, Buffer.from([0xff, random.integer(0xd0, 0xd7)])]),
      () => Buffer.concat([part.data, random.bytes(random.integer(1, 3))]),
      () => before,
    ])();
    return { ...part, data };
  });
}

/** One mutation of a JPEG file. */
export function mutateJpeg(random, bytes) {
  const file = parse(bytes);
  const place = random.integer(0, file.parts.length);
  const first = Math.max(
    0,
    file.parts.findIndex(({ marker }) => marker === 0xda),
  );
  const at = random.next() < 0.8 ? random.integer(0, first) : place;
  const withBody = (part, body) => ({ ...part, body });
  const insert = () => [...file.parts.slice(0, at), freshSegment(random), ...file.parts.slice(at)];
  const parts = random.pick([
    insert,
    insert,
    insert,
    () => changeParts(random, file.parts, ({ body }) => body, withBody),
    () => changeParts(random, file.parts, ({ body }) => body, withBody),
    () => changeFrame(random, file.parts),
    () => changeData(random, file.parts),
    () => changeData(random, file.parts),
    () =>
      file.parts.map((part, i) =>
        i === at ? { ...part, length: part.body.length + 2 + random.integer(-3, 3) } : part,
      ),
    () =>
      file.parts.map((part, i) =>
        i === at
          ? { ...part, before: random.pick([Buffer.of(0xff), random.bytes(3), Buffer.of(0xff, 0)]) }
          : part,
      ),
    () => undefined,
  ])();
  return parts ? join({ ...file, parts }) : damage(random, bytes);
}
