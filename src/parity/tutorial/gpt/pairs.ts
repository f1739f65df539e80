/** Byte pair encoding, as statements at a Python prompt, with what isotorch's tokenizer makes of the same text. */
import { BYTE_ORDER } from "../../../text/bytes.ts";
import { eachPiece } from "../../../text/split.ts";
import { Tokenizer } from "../../../text/tokenizer.ts";
import type { TokenMerge } from "../../../text/options.ts";
import { reprBytes, reprList, reprText, reprTuple } from "../repr.ts";
import { type TutorialStep, step } from "../step.ts";

/** Bytes of the text that are shown. */
const SHOWN_BYTES = 12;
const SHOWN_WORDS = 3;
/** Merges that are made one by one, and all of them. */
const ONE_BY_ONE = 3;
const MERGES = 20;

/**
 * GPT-2's split, as near as Python's own `re` comes: letters, digits, everything else, blanks.
 */
const SPLIT = String.raw`split = r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+"`;

const COUNT = `def count():
    pairs = Counter()
    for word, pieces in cut.items():
        for pair in zip(pieces, pieces[1:]):
            pairs[pair] += words[word]
    return pairs`;

const BEST = `def best():
    pairs = count()
    return min(pairs, key=lambda pair: (-pairs[pair], vocab.index(pair[0]), vocab.index(pair[1])))`;

const MERGE = `def merge(pieces, pair):
    joined = []
    for piece in pieces:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined`;

const STEP = `def step():
    pair = best()
    for word in cut:
        cut[word] = merge(cut[word], pair)
    vocab.append(pair[0] + pair[1])`;

export function byteSteps(corpus: string): TutorialStep[] {
  const bytes = new TextEncoder().encode(corpus);
  return [
    step(`text = ${reprText(corpus)}`),
    step(
      "len(text), len(text.encode('utf-8'))",
      reprTuple([`${Array.from(corpus).length}`, `${bytes.length}`]),
    ),
    step(
      `list(text.encode('utf-8'))[:${SHOWN_BYTES}]`,
      reprList(Array.from(bytes.slice(0, SHOWN_BYTES), String)),
    ),
  ];
}

/** Counting, and then merging: two chapters. */
export function pairSteps(corpus: string): {
  readonly pairs: TutorialStep[];
  readonly merges: TutorialStep[];
} {
  const merges: TokenMerge[] = [];
  Tokenizer.train(corpus, { vocabSize: BYTE_ORDER.length + MERGES, onMerge: (merge) => merges.push(merge) });
  const vocabulary = BYTE_ORDER.map((byte) => [byte]);
  for (const { pair, id } of merges) vocabulary[id] = pair.flatMap((part) => vocabulary[part] ?? []);
  const nameOf = (id: number): string => reprBytes(vocabulary[id] ?? []);
  const winner = ({ pair, count }: TokenMerge): TutorialStep =>
    step("best(), count()[best()]", reprTuple([reprTuple(pair.map(nameOf)), String(count)]));
  const [first, ...others] = merges.slice(0, ONE_BY_ONE);
  const added = ({ id }: TokenMerge): TutorialStep => step("step(); vocab[-1]", nameOf(id));
  return {
    pairs: [
      step("import json, re"),
      step("from collections import Counter"),
      step(SPLIT),
      step("words = Counter(re.findall(split, text))"),
      step(`words.most_common(${SHOWN_WORDS})`, commonWords(corpus)),
      step("seen = [*range(33, 127), *range(161, 173), *range(174, 256)]"),
      step("order = seen + sorted(set(range(256)) - set(seen))"),
      step("vocab = [bytes([byte]) for byte in order]"),
      step("cut = {word: [bytes([byte]) for byte in word.encode('utf-8')] for word in words}"),
      step(COUNT),
      step(BEST),
      ...(first === undefined ? [] : [winner(first)]),
    ],
    merges: [
      step(MERGE),
      step(STEP),
      ...(first === undefined ? [] : [added(first)]),
      ...others.flatMap((merge) => [winner(merge), added(merge)]),
      step(`for _ in range(${MERGES - ONE_BY_ONE}):\n    step()`),
      step(`vocab[256:]`, reprList(merges.map(({ id }) => nameOf(id)))),
      step("len(vocab)", String(vocabulary.length)),
    ],
  };
}

function commonWords(corpus: string): string {
  const counts = new Map<string, number>();
  eachPiece(corpus, (from, to) => {
    const word = corpus.slice(from, to);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  });
  // Of equally frequent ones what came first, as Python's Counter has it.
  const common = [...counts].toSorted(([, one], [, other]) => other - one).slice(0, SHOWN_WORDS);
  return reprList(common.map(([word, count]) => reprTuple([reprText(word), String(count)])));
}
