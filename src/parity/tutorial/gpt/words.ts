/** What the walk through the tutorial's first half says, in both languages. */

/** The chapters, in the tutorial's order. */
export const CHAPTERS = [
  "bytes",
  "pairs",
  "merges",
  "tokens",
  "embedding",
  "positions",
  "attention",
  "candidates",
  "generation",
  "again",
] as const;
export type ChapterName = (typeof CHAPTERS)[number];

export const LANGUAGES = ["en", "zh"] as const;
export type Language = (typeof LANGUAGES)[number];

export interface Words {
  /** Of each chapter its title, and what it is about. */
  readonly chapters: Readonly<Record<ChapterName, readonly [title: string, about: string]>>;
  /** The text whose byte pairs are counted. */
  readonly corpus: string;
  readonly untrained: string;
  readonly same: string;
  readonly different: string;
  readonly steps: (equal: number, all: number, torch: string, threads: number) => string;
  readonly bits: (name: string, differing: number, values: number) => string;
  readonly looks: (head: number) => string;
  readonly next: string;
  readonly asItComes: string;
  readonly verdict: (same: boolean) => string;
}

const EN: Words = {
  corpus:
    "In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was " +
    "upon the face of the deep. And the Spirit of God moved upon the face of the waters. And God said, Let there be " +
    "light: and there was light.",
  chapters: {
    bytes: [
      "Text as bytes",
      "A network computes with numbers. The smallest ones that any text can be written in are the bytes of UTF-8.",
    ],
    pairs: [
      "Byte pair encoding: count",
      "The text is split into words first; no pair crosses from one word into the next. Then every pair of neighbouring\n" +
        "bytes is counted. The most frequent one wins; of equally frequent ones that of the lower numbers.",
    ],
    merges: [
      "Merge, and count again",
      "The winning pair becomes a token of its own. Then the pairs are counted anew, until the vocabulary is as large as\n" +
        "it should be.",
    ],
    tokens: [
      "Tokens and their ids",
      "The network has a vocabulary that was made in this way of far more text. A prompt is cut into bytes and merged in\n" +
        "the order in which the merges were found; each piece that is left has a number.",
    ],
    embedding: [
      "Embedding",
      "Each id stands for a row of a table, which was learnt: a point in the space of meanings. Tokens that are used alike\n" +
        "lie in the same direction; how nearly is the cosine of two rows.",
    ],
    positions: [
      "Positions",
      "The same word means something else in another place: a second table has a row for each place, which is added.",
    ],
    attention: [
      "Self-attention, in several heads",
      "Every token compares itself with each one before it and with itself, and divides its attention among them: each\n" +
        "row adds up to 1. Each head looks for something else. Shown is where the last token looks.",
    ],
    candidates: [
      "Candidates for the next token",
      "After the last layer every token of the vocabulary has a probability. Shown are the natural logarithms of the five\n" +
        "largest ones, as the network gives them.",
    ],
    generation: [
      "The text, token by token, and another one each time",
      "One token is drawn by these probabilities and joins the text; then the next one is computed. Nobody gave a seed,\n" +
        "so two answers to the same question are two texts.",
    ],
    again: [
      "The same text again",
      "What is drawn depends on the seed alone: with the seed of the first answer the first answer comes again.",
    ],
  },
  untrained: "an untrained network: it has learnt nothing, and its texts mean nothing.",
  same: "same",
  different: "DIFFERENT, Python printed:",
  steps: (equal, all, torch, threads) =>
    `Python text beside it (torch ${torch}, ${threads} threads): ${equal} of ${all} steps print the same`,
  bits: (name, differing, values) => `${name}: ${differing} of ${values} values have other bits`,
  looks: (head) => `layer 0, head ${head}: a row for each token that looks`,
  next: "the same as percentages:",
  asItComes: "as it came:",
  verdict: (same) => (same ? "equal" : "NOT EQUAL"),
};

const ZH: Words = {
  corpus: "床前明月光，疑是地上霜。举头望明月，低头思故乡。春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。",
  chapters: {
    bytes: [
      "文本变成字节",
      "网络计算的是数字。任何文本都能写成的最小单位，是 UTF-8 的字节；一个汉字有三个字节。",
    ],
    pairs: [
      "字节对编码（BPE）：统计",
      "先把文本切成词，字节对不跨越词的边界；再统计相邻两个字节（字节对）出现的频次。频次最高的胜出；频次相同时，编号小的优先。",
    ],
    merges: [
      "合并，再统计",
      "胜出的字节对合并为一个新的符号（token），在新的符号上重新统计、再合并，直到词汇表达到目标大小。",
    ],
    tokens: [
      "token 与编号",
      "网络的词汇表就是这样从多得多的文本中得到的。提示词先拆成字节，再按合并被找到的先后顺序合并；剩下的每一段都有一个编号。",
    ],
    embedding: [
      "嵌入（Embedding）",
      "每个编号对应表中的一行，这些数是学出来的：它是语义空间中的一个点。用法相近的 token 方向也相近，接近的程度用两行的余弦来衡量。",
    ],
    positions: ["位置", "同一个词在不同位置意思不同：另一张表为每个位置准备了一行，与嵌入相加。"],
    attention: [
      "自注意力机制，多个头",
      "每个 token 与它之前的每个 token 以及它自己对比，并把注意力分给它们：每一行之和为 1。每个头关注不同的重点。下面是最后一个 token 的注意力。",
    ],
    candidates: [
      "下一个 token 的候选",
      "经过最后一层之后，词汇表中的每个 token 都有一个概率。下面是网络给出的五个最大概率的自然对数。",
    ],
    generation: [
      "逐个 token 生成文本，每次答案都不一样",
      "按这些概率抽取一个 token，接在文本后面，再计算下一个。没有指定种子，所以同一个问题的两次回答是两段不同的文本。",
    ],
    again: ["同样的文本再来一次", "抽取的结果只取决于种子：用第一次回答的种子，就得到与第一次相同的回答。"],
  },
  untrained: "未经训练的网络：它什么也没学过，生成的文本没有意义。",
  same: "相同",
  different: "不同，Python 打印的是：",
  steps: (equal, all, torch, threads) =>
    `旁边的 Python 原文（torch ${torch}，${threads} 个线程）：${all} 个步骤中有 ${equal} 个打印结果相同`,
  bits: (name, differing, values) => `${name}：${values} 个数值中有 ${differing} 个比特不同`,
  looks: (head) => `第 0 层第 ${head} 个头：每行是一个 token 的注意力`,
  next: "换算成百分比：",
  asItComes: "逐个生成：",
  verdict: (same) => (same ? "相同" : "不同"),
};

export const WORDS: Readonly<Record<Language, Words>> = { en: EN, zh: ZH };
