import { Random as Seeded } from "../chaos/random.mjs";

/** The seeded generator with what mutations need. */
export class Random extends Seeded {
  bytes(length) {
    return Buffer.from(Array.from({ length }, () => this.integer(0, 255)));
  }

  /** A value that lies where things go wrong. */
  edge(most) {
    const values = [0, 1, 2, 3, 4, 7, 8, most >> 1, (most >> 1) + 1, most - 1, most];
    return this.pick([...values, this.integer(0, most)]);
  }
}

/** Changes that fit any list of parts: left out, doubled, swapped, moved, longer, shorter, one byte another. */
export function changeParts(random, parts, bodyOf, withBody) {
  if (parts.length === 0) return parts;
  const out = [...parts];
  const at = random.integer(0, out.length - 1);
  const other = random.integer(0, out.length - 1);
  const body = bodyOf(out[at]);
  const changes = [
    () => out.splice(at, 1),
    () => out.splice(other, 0, out[at]),
    () => ([out[at], out[other]] = [out[other], out[at]]),
    () => out.splice(other, 0, ...out.splice(at, 1)),
    () => (out[at] = withBody(out[at], Buffer.concat([body, random.bytes(random.integer(1, 20))]))),
    () => (out[at] = withBody(out[at], body.subarray(0, random.integer(0, body.length)))),
    () => (out[at] = withBody(out[at], changedByte(random, body))),
    () => (out[at] = withBody(out[at], changedByte(random, body))),
  ];
  random.pick(changes)();
  return out;
}

/** One byte set to an edge value, or one bit flipped; more often near the start, where headers have their fields. */
export function changedByte(random, body, from = 0) {
  if (body.length <= from) return body;
  const out = Buffer.from(body);
  const near = Math.min(out.length - 1, from + 30);
  const at = random.integer(from, random.next() < 0.5 ? near : out.length - 1);
  out[at] = random.next() < 0.5 ? out[at] ^ (1 << random.integer(0, 7)) : random.edge(255);
  return out;
}

/** Damage that knows nothing of the format: cut off, filled up, one byte another. */
export function damage(random, bytes) {
  return random.pick([
    () => bytes.subarray(0, random.integer(0, bytes.length)),
    () => bytes.subarray(0, bytes.length - random.integer(1, Math.min(16, bytes.length))),
    () => Buffer.concat([bytes, random.bytes(random.integer(1, 40))]),
    () => changedByte(random, bytes),
  ])();
}
