/** Tokens as text, one after the other: a character whose bytes are in several tokens comes with the last of them. */

/**
 * Decodes tokens as they come. What `push` and `end` gave, joined, is what `decode` makes of all of the ids.
 *
 * @example
 * import { Tokenizer } from "isotorch/tokenizer";
 *
 * const decoder = Tokenizer.gpt2().decoder();
 * for (const id of [464, 3290]) process.stdout.write(decoder.push(id));
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
  /** What is left of a character that was not completed, as U+FFFD. The decoder can be used anew. */
  end(): string;
}

/** @param bytesOf the bytes of a token, or an error. */
export function decoderOf(bytesOf: (id: number) => Uint8Array): TokenDecoder {
  const decoder = textDecoder();
  return {
    push: (id) => decoder.decode(bytesOf(id), { stream: true }),
    end: () => decoder.decode(),
  };
}

/** As Python's `bytes.decode("utf-8", errors="replace")` decodes: also U+FEFF at the start stays. */
export function textDecoder(): InstanceType<typeof TextDecoder> {
  return new TextDecoder("utf-8", { ignoreBOM: true });
}
