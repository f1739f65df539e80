// Calls in every stage: being read, being decoded, waiting, at the worker; each with the answer that belongs to it.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const pathOf = (name) => fileURLToPath(new URL(`../../examples/images/${name}`, import.meta.url));
const PATHS = ["balloons.jpg", "dog.webp", "fruit.png", "landscape.jpg"].map(pathOf);
const BYTES = new Map(PATHS.map((path) => [path, readFileSync(path)]));

/** A tensor like no other. */
function tensorOf(number) {
  return { data: new Float32Array(3 * 224 * 224).fill(number / 1_000), shape: [1, 3, 224, 224] };
}
const TENSORS = [1, 2, 3].map(tensorOf);
const ONE = { topK: 1 };

/** A stream that gives its picture in pieces, over so many milliseconds. */
export function arriving(path, ms) {
  const bytes = BYTES.get(path);
  const size = Math.ceil(bytes.length / 4);
  let at = 0;
  return new ReadableStream(
    {
      async pull(stream) {
        await delay(ms / 4);
        if (at >= bytes.length) return stream.close();
        stream.enqueue(new Uint8Array(bytes.subarray(at, at + size)));
        at += size;
      },
    },
    { highWaterMark: 0 },
  );
}

/** What each picture and each tensor is answered where nothing disturbs. */
export async function undisturbed(classifier) {
  const scores = new Map();
  for (const image of [...PATHS, ...TENSORS]) {
    const [best] = await classifier.classify(image, ONE);
    scores.set(image, best.score);
  }
  return scores;
}

/** What was asked for, and what came of it. */
export class Tally {
  asked = 0;
  answered = 0;
  refused = 0;
  wrong = [];
  failed = new Map();
  stages = {};

  constructor(scores) {
    this.scores = scores;
  }

  /** One call that has to be answered with the scores of its pictures. */
  async expect(stage, images, promise) {
    this.asked += 1;
    this.stages[stage] = (this.stages[stage] ?? 0) + 1;
    try {
      const scores = await promise;
      const right = images.every((image, index) => scores[index] === this.scores.get(image));
      if (!right) this.wrong.push(stage);
      else this.answered += 1;
    } catch (error) {
      const code = `${stage}: ${error?.code ?? error}`;
      this.failed.set(code, (this.failed.get(code) ?? 0) + 1);
    }
  }

  /** One call after the close: it has to be refused with `CLOSED`. */
  async expectClosed(promise) {
    const code = await promise.then(
      () => "answered",
      (error) => error?.code ?? String(error),
    );
    if (code === "CLOSED") this.refused += 1;
    else this.failed.set(`after close: ${code}`, (this.failed.get(`after close: ${code}`) ?? 0) + 1);
  }

  account(ledger) {
    ledger.check(
      "calls answered with what belongs to them",
      this.answered === this.asked,
      `${this.answered} of ${this.asked}`,
    );
    ledger.check("wrong answers", this.wrong.length === 0, this.wrong.length);
    const failed = [...this.failed].map(([code, n]) => `${code} ${n}`).join(", ");
    ledger.check("calls that failed", this.failed.size === 0, failed || 0);
    ledger.note(
      "calls by their stage",
      Object.entries(this.stages)
        .map(([stage, n]) => `${stage} ${n}`)
        .join(", "),
    );
  }
}

const scoreOf = (top) => top[0].score;

/** Kinds of calls; each is made of a classifier, a seeded generator and a tally. */
const CALLS = {
  arriving(classifier, random) {
    const path = random.pick(PATHS);
    const picture = arriving(path, random.integer(1, 60));
    return [[path], classifier.classify(picture, ONE).then((top) => [scoreOf(top)])];
  },
  decoding(classifier, random) {
    const path = random.pick(PATHS);
    return [[path], classifier.classify(path, ONE).then((top) => [scoreOf(top)])];
  },
  "at the worker"(classifier, random) {
    const tensor = random.pick(TENSORS);
    return [[tensor], classifier.classify(tensor, ONE).then((top) => [scoreOf(top)])];
  },
  list(classifier, random) {
    const images = [random.pick(PATHS), random.pick(TENSORS), random.pick(PATHS)];
    return [images, classifier.classify(images, ONE).then((tops) => tops.map(scoreOf))];
  },
  settled(classifier, random) {
    const images = [random.pick(TENSORS), random.pick(PATHS)];
    const scores = classifier
      .classifySettled(images, ONE)
      .then((results) =>
        results.map(({ value, reason }) => (value ? scoreOf(value) : Promise.reject(reason))),
      );
    return [images, scores.then((all) => Promise.all(all))];
  },
  detailed(classifier, random) {
    const path = random.pick(PATHS);
    return [[path], classifier.classifyDetailed(BYTES.get(path), ONE).then(({ top }) => [scoreOf(top)])];
  },
  preprocess(classifier, random) {
    return [
      [],
      classifier.preprocess(arriving(random.pick(PATHS), random.integer(1, 30)), {}).then(() => []),
    ];
  },
};

/** Makes one call of each kind and a few more, in an order of the seed. @returns when all are settled */
export function callAll(classifier, random, tally, more = 3) {
  const kinds = [
    ...Object.keys(CALLS),
    ...Array.from({ length: more }, () => random.pick(Object.keys(CALLS))),
  ];
  const order = kinds.map((kind) => [random.next(), kind]).toSorted(([a], [b]) => a - b);
  return Promise.all(
    order.map(([, kind]) => {
      const [images, scores] = CALLS[kind](classifier, random);
      return tally.expect(kind, images, scores);
    }),
  );
}

/** A call of any kind after the close. */
export function callClosed(classifier, random, tally) {
  return tally.expectClosed(CALLS[random.pick(Object.keys(CALLS))](classifier, random)[1]);
}
