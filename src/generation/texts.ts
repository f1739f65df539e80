/** Tokens as they come, as text: characters that are whole, and nothing of what may be a stop text. */
import type { TokenDecoder } from "../text/decoder.ts";

/** What a token adds to the text that a reader sees. */
export interface Added {
  readonly text: string;
  /** A stop text is complete: the answer ends here. */
  readonly stopped: boolean;
  /** Whether something is held back behind it. */
  readonly holds: boolean;
}

export class GrowingText {
  readonly #decoder: TokenDecoder;
  readonly #stops: readonly string[];
  /** Text that may be the beginning of a stop text. */
  #held = "";

  constructor(decoder: TokenDecoder, stops: readonly string[]) {
    this.#decoder = decoder;
    this.#stops = stops;
  }

  push(id: number): Added {
    return this.#add(this.#decoder.push(id));
  }

  /** What is left at the end: a character that stayed incomplete, as U+FFFD, and what was no stop text after all. */
  end(): string {
    const { text, stopped } = this.#add(this.#decoder.end());
    return stopped ? text : text + this.#held;
  }

  #add(text: string): Added {
    const whole = this.#held + text;
    const end = firstStop(whole, this.#stops);
    if (end !== undefined) {
      this.#held = "";
      return { text: whole.slice(0, end), stopped: true, holds: false };
    }
    const held = longestBeginning(whole, this.#stops);
    this.#held = whole.slice(whole.length - held);
    return {
      text: whole.slice(0, whole.length - held),
      stopped: false,
      holds: held > 0 || this.#decoder.isInside,
    };
  }
}

/** Where the stop text begins that begins first; undefined where there is none. */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
  return found.length === 0 ? undefined : Math.min(...found);
}

/** How much of the end may be the beginning of a stop text. */
function longestBeginning(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length -= 1) {
      if (text.endsWith(stop.slice(0, length))) longest = length;
    }
  }
  return longest;
}
