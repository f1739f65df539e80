// Texts and corpora in which tokenizers tend to differ. The same seed gives the same ones.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Unicode's white space, and what others take for it. */
const BLANKS = Array.from(
  " \t\n\v\f\r\u0085\u00a0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000" +
    "\ufeff\u180e\u200b\u200c\u200d\u2060\u001c\u001f\0",
);
const WORDS =
  "the God earth it's we'll I'VE don't he'd 'tis 123 4 5,000 naïve Straße e\u0301t\u00e9 λόγος мир שלום सत्य 中文 日本語 한국어".split(
    " ",
  );
const SIGNS = Array.from("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~…—“”’«»。，、！？《》€£¥§©®™½²→∑");
const EMOJI = Array.from("😀😂🥰🤖👍🏽👩‍💻🏳️‍🌈🇨🇳❤️‍🔥✅");
const CODE = [
  "for (let i = 0; i < n; i++) {\n\treturn a[i] ?? null;\n}",
  "def f(x):\n    return {k: v**2 for k, v in x.items()}\n\n\n",
  "SELECT * FROM t WHERE a <> 'b''s' --",
  "https://example.org/a_b?c=%20&d=#e",
  '<p class="x">&nbsp;</p>',
  "\r\n\r\n## 标题\r\n",
  "0x1F 1e-9 3.14159 ½ ² ①",
];

/** How a code point is put among others: it is told by what joins it. */
const AROUND = [
  (c) => `a${c}b ${c} 1${c}${c}`,
  (c) => `${c}x  ${c}y\n${c}\n\n${c}`,
  (c) => ` ${c}${c} '${c}s ${c}!`,
  (c) => `\n\n${c}`,
];

/** A text around each code point of planes 0 and 1, and as many others as are left of `count`. */
export function* textsOf(random, count, root) {
  let made = 0;
  for (let point = 0; point < 0x2_0000 && made < count; point += 1) {
    if (point >= 0xd800 && point < 0xe000) continue;
    yield AROUND[point % AROUND.length](String.fromCodePoint(point));
    made += 1;
  }
  const others = [
    mixedBlanks,
    mixedAll,
    chinese,
    emoji,
    code,
    contractions,
    anyPoints,
    longWord,
    madeSpecial,
  ];
  for (const name of [
    "README.md",
    "README.zh.md",
    "docs/api.md",
    "src/text/train.ts",
    "models/vocab.bpe",
    "package.json",
  ]) {
    if (made++ < count) yield readFileSync(join(root, name), "utf8").slice(0, 50_000);
  }
  for (; made < count; made += 1) yield others[made % others.length](random);
}

function joined(random, most, one) {
  return Array.from({ length: random.integer(0, most) }, one).join("");
}

function mixedBlanks(random) {
  return joined(random, 16, () =>
    random.next() < 0.8 ? random.pick(BLANKS) : random.pick(["a", "1", "!", "'s", "中"]),
  );
}

function mixedAll(random) {
  return joined(random, 30, () => random.pick(random.pick([BLANKS, WORDS, SIGNS, EMOJI, [" "], ["\n"]])));
}

function chinese(random) {
  return joined(random, 60, () =>
    random.next() < 0.12 ? random.pick(SIGNS) : String.fromCodePoint(random.integer(0x4e00, 0x9fff)),
  );
}

function emoji(random) {
  return joined(random, 20, () => random.pick([...EMOJI, " ", "!", "\u200d", "\ufe0f"]));
}

function code(random) {
  return joined(random, 6, () => `${random.pick(CODE)}${" ".repeat(random.integer(0, 9))}`);
}

function contractions(random) {
  return joined(random, 20, () =>
    random.pick(["'", "s", "'s", "'t", "'re", "'VE", "'ll", "'d", "'m", " ", "’s", "1", "a", "''"]),
  );
}

/** Also of the planes above, and of none that is half of a pair. */
function anyPoints(random) {
  return joined(random, 20, () => {
    const point = random.integer(0, random.pick([0x7f, 0x7ff, 0xffff, 0x10_ffff]));
    return point >= 0xd800 && point < 0xe000 ? " " : String.fromCodePoint(point);
  });
}

function longWord(random) {
  const letters = random.pick(["a", "ab", "etaoin shrdlu".replace(" ", ""), "中文字", "=-", "0123456789"]);
  const length = random.next() < 0.05 ? random.integer(1000, 20_000) : random.integer(20, 200);
  return Array.from({ length }, () => random.pick(Array.from(letters))).join("");
}

function madeSpecial(random) {
  return joined(random, 12, () =>
    random.pick(["<|endoftext|>", "<|endoftext", "|>", "<|", "<", " ", "a", "\n"]),
  );
}

/** A list of texts to train on: small alphabets, so that counts are equal and pairs overlap. */
export function corpusOf(random) {
  const alphabet = random.pick([
    ["a", "b"],
    ["a"],
    Array.from("abc "),
    Array.from("aab  \n"),
    Array.from("中文 a"),
    Array.from("ab'1!. "),
    ["the ", "then ", "he ", "in"],
    [...BLANKS, "a"],
    ["😀", "é", "e"],
  ]);
  const texts = Array.from({ length: random.integer(1, 6) }, () =>
    joined(random, random.pick([8, 40, 200]), () => random.pick(alphabet)),
  );
  return {
    texts,
    vocabSize: 256 + random.integer(0, 60),
    minFrequency: random.integer(0, 3),
    specialTokens: random.next() < 0.3 ? ["<|endoftext|>", "<pad>"].slice(0, random.integer(1, 2)) : [],
  };
}

/** Ids as nobody would write them: characters cut anywhere. */
export function idsOf(random, vocabSize) {
  const least = random.next() < 0.5 ? Math.min(vocabSize, 400) : vocabSize;
  return Array.from({ length: random.integer(0, 40) }, () => random.integer(0, least - 1));
}
