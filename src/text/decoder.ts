/** Tokens as text, one after the other: a character whose bytes are in several tokens comes with the last of them. */

/**
 * Decodes tokens as they come. What `push` and `end` gave, joined, is what `decode` makes of all of the ids.
 *
 * @example
 * import { Tokenizer } from "isotorch/tokenizer";
 *
 * const decoder = Tokenizer.gpt2().decoder();
 * for (const id of [10545, 244, 229]) process.stdout.write(decoder.push(id));
 * process.stdout.write(decoder.end());
 */
export interface TokenDecoder {
  /**
   * The text that a token completes: `""` where it ends inside of its first character. U+FFFD stands only for bytes that no
   * further token can make a character of.
   *
   * @throws IsotorchError `INVALID_INPUT` for an id that the vocabulary does not have.
   */
  push(id: number): string;
  /** Whether a character was begun that is not complete. */
  readonly isInside: boolean;
  /** What is left of a character that was not completed, as U+FFFD. The decoder can be used anew. */
  end(): string;
}

/** @param bytesOf the bytes of a token, or an error. */
export function decoderOf(bytesOf: (id: number) => Uint8Array): TokenDecoder {
  const decoder = textDecoder();
  /** The last bytes: no more than these can belong to a character that is not complete. */
  let last: readonly number[] = [];
  return {
    push: (id) => {
      const bytes = bytesOf(id);
      last = [...last, ...bytes.slice(-3)].slice(-3);
      return decoder.decode(bytes, { stream: true });
    },
    get isInside() {
      return isUnfinished(last);
    },
    end: () => {
      last = [];
      return decoder.decode();
    },
  };
}

/** Whether bytes end with the beginning of a character, as Unicode's table of well-formed UTF-8 has it. */
function isUnfinished(bytes: readonly number[]): boolean {
  const at = bytes.findLastIndex((byte) => byte >= 0xc0);
  const [lead = 0, second, ...others] = at < 0 ? [] : bytes.slice(at);
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.length - at >= length) return false;
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  return (
    (second === undefined || (second >= least && second <= most)) &&
    others.every((byte) => byte >= 0x80 && byte <= 0xbf)
  );
}

/** As Python's `bytes.decode("utf-8", errors="replace")` decodes: also U+FEFF at the start stays. */
export function textDecoder(): InstanceType<typeof TextDecoder> {
  return new TextDecoder("utf-8", { ignoreBOM: true });
}
