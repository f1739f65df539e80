// A small seeded generator: the same seed gives the same numbers on every machine.

export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** 0 <= number < 1, 32 bits of it. */
  next() {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  }

  /** An integer from `low` to `high`, both included. */
  integer(low, high) {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick(list) {
    return list[this.integer(0, list.length - 1)];
  }

  /** A generator of its own, so that what draws from it leaves this one as it is. */
  fork() {
    return new Random(this.integer(0, 2 ** 32 - 1));
  }
}
