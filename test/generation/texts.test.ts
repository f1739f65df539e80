/** What a reader sees of tokens as they come: whole characters, and nothing of a stop text. */
import { describe, expect, test } from "vitest";
import { GrowingText } from "../../src/generation/texts.ts";
import { Tokenizer } from "../../src/tokenizer.ts";

const gpt2 = Tokenizer.gpt2();

/** What each token adds, and the end. */
function shown(ids: readonly number[], ...stops: string[]) {
  const text = new GrowingText(gpt2.decoder(), stops);
  const added: string[] = [];
  for (const id of ids) {
    const { text: more, stopped } = text.push(id);
    added.push(more);
    if (stopped) return { added, stopped, rest: "" };
  }
  return { added, stopped: false, rest: text.end() };
}

test("a character whose bytes are in several tokens comes with the last of them", () => {
  const ids = gpt2.encode("水🙂");
  expect(ids.length).toBeGreaterThan(2);
  const { added, rest } = shown(ids);
  expect(added.filter((text) => text !== "")).toEqual(["水", "🙂"]);
  expect(rest).toBe("");
});

test("what stays incomplete is U+FFFD at the end, and said to be held until then", () => {
  const [first = 0] = gpt2.encode("水");
  const text = new GrowingText(gpt2.decoder(), []);
  expect(text.push(first)).toEqual({ text: "", stopped: false, holds: true });
  expect(text.end()).toBe("\uFFFD");
});

test("only what may be the beginning of a stop text is held back", () => {
  const text = new GrowingText(gpt2.decoder(), ["\n\nEnd", "stop"]);
  const [newline = 0] = gpt2.encode("\n");
  const [a = 0] = gpt2.encode("a");
  expect(text.push(newline)).toEqual({ text: "", stopped: false, holds: true });
  expect(text.push(newline)).toEqual({ text: "", stopped: false, holds: true });
  // Of three newlines the first cannot begin it any more.
  expect(text.push(newline)).toEqual({ text: "\n", stopped: false, holds: true });
  expect(text.push(a)).toEqual({ text: "\n\na", stopped: false, holds: false });
  expect(text.end()).toBe("");
});

test("of several stop texts the one that begins first ends the answer", () => {
  const { added, stopped } = shown(gpt2.encode("one two three"), "three", "two");
  expect({ text: added.join(""), stopped }).toEqual({ text: "one ", stopped: true });
});

describe("random texts", () => {
  const alphabet = Array.from("天地玄黄宇宙洪荒日月盈昃🙂👍🏽👩‍👩‍👧🇨🇳éß \n.,abc");
  const random = seeded(7);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const text = (length: number): string =>
    Array.from({ length: 1 + Math.floor(random() * length) }, () => pick(alphabet)).join("");

  test("1,000 of Chinese and emoji: joined they are what was encoded, without U+FFFD", () => {
    for (let turn = 0; turn < 1_000; turn += 1) {
      const whole = text(40);
      const { added, rest } = shown(gpt2.encode(whole));
      expect(added.join("")).toBe(whole);
      expect(rest).toBe("");
      expect(added.join("")).not.toContain("\uFFFD");
    }
  });

  test("1,000 random tokens: joined they are what decode makes of all of them", () => {
    for (let turn = 0; turn < 1_000; turn += 1) {
      const ids = Array.from({ length: 12 }, () => Math.floor(random() * gpt2.vocabSize));
      const { added, rest } = shown(ids);
      expect(added.join("") + rest).toBe(gpt2.decode(ids));
    }
  });

  test("1,000 with stop texts that are split over tokens: the answer ends before the first, and nothing of it leaks", () => {
    let stops = 0;
    for (let turn = 0; turn < 1_000; turn += 1) {
      const [whole, stop] = [text(40), text(3)];
      const at = whole.indexOf(stop);
      const { added, rest, stopped } = shown(gpt2.encode(whole), stop);
      expect(stopped).toBe(at >= 0);
      expect(added.join("") + rest).toBe(at < 0 ? whole : whole.slice(0, at));
      if (stopped) stops += 1;
    }
    expect(stops).toBeGreaterThan(100);
  });
});

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
