// Damage as files meet it: flipped bytes, cut ends, pieces of one file inside another, extra bytes.

/** A damaged copy of `bytes`; `others` lends the pieces. */
export function mutate(random, bytes, others) {
  const how = random.pick(["flip", "flip", "truncate", "splice", "extend", "zero"]);
  const copy = Buffer.from(bytes);
  switch (how) {
    case "flip":
      for (let n = random.integer(1, 8); n > 0; n--) copy[at(random, copy)] ^= 1 << random.integer(0, 7);
      return { how, bytes: copy };
    case "truncate":
      return { how, bytes: copy.subarray(0, at(random, copy)) };
    case "splice": {
      const other = random.pick(others);
      const from = at(random, other);
      const length = Math.min(random.integer(1, 512), other.length - from);
      const to = at(random, copy);
      return {
        how,
        bytes: Buffer.concat([copy.subarray(0, to), other.subarray(from, from + length), copy.subarray(to)]),
      };
    }
    case "extend":
      return { how, bytes: Buffer.concat([copy, random.pick(others).subarray(0, random.integer(1, 512))]) };
    default: {
      const from = at(random, copy);
      return { how, bytes: copy.fill(0, from, Math.min(copy.length, from + random.integer(1, 64))) };
    }
  }
}

/** A place in the file; half of them in its head, where the structure is. */
function at(random, { length }) {
  const end = random.integer(0, 1) === 0 ? Math.min(length, 256) : length;
  return random.integer(0, Math.max(0, end - 1));
}
