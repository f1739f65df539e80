/** A vocabulary: which id each token has, and by which merges the tokens come about. */
import { IsotorchError } from "../base/errors.ts";
import { excerpt } from "../base/text/shown.ts";
import { BYTE_ORDER, bytesOf, lettersOf } from "./bytes.ts";
import { Merges } from "./merge.ts";

/** Ids that a vocabulary may have: a pair of them is one number. */
export const MOST_TOKENS: number = 2 ** 26;

/** A vocabulary as its files have it: bytes in GPT-2's letters, special tokens as they are. */
export interface Written {
  readonly merges: readonly (readonly [left: string, right: string])[];
  /** The id of each token. @default the bytes in GPT-2's order, then what the merges make, then special tokens */
  readonly vocab?: Readonly<Record<string, number>>;
  /** Texts that are one token each and that no merge makes, where they are allowed. */
  readonly specialTokens?: readonly string[];
}

export class Vocabulary {
  readonly merges: Merges = new Merges();
  /** The id of each byte. */
  readonly byteIds: Uint32Array = new Uint32Array(256);
  /** The bytes of each token, by its id. */
  readonly bytes: Uint8Array[] = [];
  /** Each token in its letters, by its id; special tokens as they are. */
  readonly names: string[] = [];
  /** The ids of special tokens. */
  readonly special: Map<string, number> = new Map<string, number>();
  /** The id of each token by its letters; special tokens as they are. */
  readonly ids: Map<string, number> = new Map<string, number>();

  get size(): number {
    return this.bytes.length;
  }

  /** Takes the 256 bytes in, in GPT-2's order. @param idOf the id of each; without it the next ones. */
  addBytes(idOf?: (letter: string) => number): void {
    for (const byte of BYTE_ORDER) {
      const bytes = Uint8Array.of(byte);
      this.byteIds[byte] = this.#add(lettersOf(bytes), bytes, idOf);
    }
  }

  addSpecial(text: string, idOf?: (text: string) => number): void {
    if (text === "" || /\p{Cs}/u.test(text)) throw bad(`The special token ${quoted(text)} is no text.`);
    this.special.set(text, this.#add(text, new TextEncoder().encode(text), idOf));
  }

  /**
   * Takes the next merge in.
   *
   * @returns the id of what it makes, which another merge may have made before.
   * @throws IsotorchError `BAD_VOCABULARY` where the pair has been merged before.
   */
  addMerge(left: number, right: number, idOf?: (letters: string) => number): number {
    const letters = `${this.names[left]}${this.names[right]}`;
    const id = this.ids.get(letters) ?? this.#add(letters, joined(this.bytes[left], this.bytes[right]), idOf);
    if (this.special.has(letters)) throw bad(`A merge makes ${quoted(letters)}, which is a special token.`);
    if (!this.merges.add(left, right, id)) {
      throw bad(`The merge of "${this.names[left]} ${this.names[right]}" is there twice.`);
    }
    return id;
  }

  #add(name: string, bytes: Uint8Array, idOf?: (name: string) => number): number {
    if (this.ids.has(name)) throw bad(`The token ${quoted(name)} is there twice.`);
    const id = idOf?.(name) ?? this.bytes.length;
    this.bytes[id] = bytes;
    this.names[id] = name;
    this.ids.set(name, id);
    return id;
  }
}

/** The vocabulary of what its files say. @throws IsotorchError `BAD_VOCABULARY`. */
export function vocabularyOf({ merges, vocab, specialTokens = [] }: Written): Vocabulary {
  const vocabulary = new Vocabulary();
  const idOf = vocab === undefined ? undefined : idsOf(vocab);
  vocabulary.addBytes(idOf);
  for (const [at, pair] of merges.entries()) {
    const [left, right] = pair.map((name) => partOf(vocabulary, name, at, merges)) as [number, number];
    vocabulary.addMerge(left, right, idOf);
  }
  for (const text of specialTokens) vocabulary.addSpecial(text, idOf);
  if (vocab !== undefined) refuseOthers(vocabulary, vocab);
  return vocabulary;
}

/** Looks ids up. */
function idsOf(vocab: Readonly<Record<string, number>>): (name: string) => number {
  const { length } = Object.keys(vocab);
  const owners = new Map<number, string>();
  for (const [name, id] of Object.entries(vocab)) {
    if (!Number.isSafeInteger(id) || id < 0 || id >= length || id >= MOST_TOKENS)
      throw bad(`The token ${quoted(name)} has the id ${id}, of ${length} tokens.`);
    const owner = owners.get(id);
    if (owner !== undefined) throw bad(`The id ${id} has two tokens: ${quoted(owner)} and ${quoted(name)}.`);
    owners.set(id, name);
  }
  return (name) => {
    const id = Object.hasOwn(vocab, name) ? vocab[name] : undefined;
    if (id !== undefined) return id;
    throw bad(
      `The ids have no token ${quoted(name)}, which is a byte, a special token or made by a merge.`,
      "Take vocab.json and merges.txt from one place.",
    );
  };
}

/** The id of a part of a merge, which has to be a byte or what an earlier merge made. */
function partOf(vocabulary: Vocabulary, name: string, at: number, merges: Written["merges"]): number {
  const id = vocabulary.ids.get(name);
  if (id !== undefined) return id;
  const pair = `Merge ${at + 1}, ${quoted(merges[at]?.join(" ") ?? "")},`;
  if (name === "" || bytesOf(name) === undefined)
    throw bad(`${pair} has ${quoted(name)}, which is not written in GPT-2's letters for bytes.`);
  const later = merges.findIndex((other, place) => place >= at && other.join("") === name);
  throw later === -1
    ? bad(`${pair} needs the token ${quoted(name)}, which no merge makes.`)
    : bad(`${pair} needs the token ${quoted(name)}, which merge ${later + 1} makes: they are out of order.`);
}

function refuseOthers(vocabulary: Vocabulary, vocab: Readonly<Record<string, number>>): void {
  const other = Object.keys(vocab).find((name) => !vocabulary.ids.has(name));
  if (other === undefined) return;
  throw bad(
    `The token ${quoted(other)} has an id, and no merge makes it.`,
    "Take vocab.json and merges.txt from one place, or name it in `specialTokens`.",
  );
}

function joined(left: Uint8Array = new Uint8Array(), right: Uint8Array = new Uint8Array()): Uint8Array {
  const bytes = new Uint8Array(left.length + right.length);
  bytes.set(left);
  bytes.set(right, left.length);
  return bytes;
}

function quoted(token: string): string {
  return `"${excerpt(token)}"`;
}

export function bad(message: string, hint?: string): IsotorchError {
  return new IsotorchError("BAD_VOCABULARY", message, hint === undefined ? {} : { hint });
}
